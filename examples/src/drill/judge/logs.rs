//! The user logs, by number.

use std::collections::BTreeMap;

use dcp_core::Error;
use dcp_core::ids::{SliceId, SliceRef};
use dcp_core::log::LogId;
use dcp_core::treaty::Treaty;

use crate::orders::Home;

/// One user log.
#[derive(Debug, Clone)]
pub(super) struct LogEntry {
    pub(super) id: LogId,
    /// The region that appends to it.
    pub(super) origin: Home,
    /// The home of its scope.
    pub(super) home: Home,
    /// Number of its slice.
    pub(super) slice: usize,
}

/// All user logs and slices, so that tables can name them by a number.
#[derive(Debug, Clone)]
pub(super) struct Logs {
    entries: Vec<LogEntry>,
    slices: Vec<SliceRef>,
    index: BTreeMap<LogId, usize>,
}

impl Logs {
    /// The logs of a treaty.
    pub(super) fn of(treaty: &Treaty) -> Result<Self, Error> {
        let terms = Home::ALL.map(|home| treaty.scope(&home.scope_id()).map(|terms| (home, terms)));
        let mut scopes = Vec::new();
        for one in terms {
            let (home, terms) = one?;
            scopes.extend(
                terms.slices().iter().map(|(slice, partitions)| (home, slice.clone(), partitions.iter().copied())),
            );
        }
        Ok(Self::new(scopes))
    }

    /// The logs of slices: home of the scope, slice, partitions. Each has a log in both regions.
    pub(super) fn new(slices: impl IntoIterator<Item = (Home, SliceId, impl IntoIterator<Item = u32>)>) -> Self {
        let mut logs = Self { entries: Vec::new(), slices: Vec::new(), index: BTreeMap::new() };
        for (home, slice, partitions) in slices {
            let number = logs.slices.len();
            logs.slices.push(SliceRef::new(home.scope_id(), slice));
            for partition in partitions {
                for origin in Home::ALL {
                    let id = LogId::new(home.scope_id(), origin.region_id(), partition);
                    logs.index.insert(id.clone(), logs.entries.len());
                    logs.entries.push(LogEntry { id, origin, home, slice: number });
                }
            }
        }
        logs
    }

    /// Number of a log.
    pub(super) fn find(&self, log: &LogId) -> Option<usize> {
        self.index.get(log).copied()
    }

    /// A log by its number.
    pub(super) fn entry(&self, number: usize) -> &LogEntry {
        &self.entries[number]
    }

    /// All logs, with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &LogEntry)> {
        self.entries.iter().enumerate()
    }

    /// Number of logs.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The slices, by number.
    pub(super) fn slices(&self) -> &[SliceRef] {
        &self.slices
    }

    /// Number of a slice.
    pub(super) fn slice(&self, slice: &SliceRef) -> Option<usize> {
        self.slices.iter().position(|one| one == slice)
    }
}
