//! The logs that a projector follows, by number.

use std::collections::BTreeMap;

use dcp_core::ids::ScopeId;
use dcp_core::log::LogId;

/// Logs that hold events of the same streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) scope: ScopeId,
    pub(crate) partition: u32,
    /// Numbers of its logs.
    pub(crate) logs: Vec<usize>,
}

#[derive(Debug)]
pub(crate) struct Logs {
    pub(crate) ids: Vec<LogId>,
    pub(crate) groups: Vec<Group>,
    numbers: BTreeMap<LogId, usize>,
}

impl Logs {
    pub(crate) fn new(ids: Vec<LogId>) -> Self {
        let mut groups: BTreeMap<(&ScopeId, u32), Vec<usize>> = BTreeMap::new();
        for (number, log) in ids.iter().enumerate() {
            groups.entry((log.scope(), log.partition())).or_default().push(number);
        }
        let groups = groups
            .into_iter()
            .map(|((scope, partition), logs)| Group { scope: scope.clone(), partition, logs })
            .collect();
        let numbers = ids.iter().cloned().enumerate().map(|(number, log)| (log, number)).collect();
        Self { ids, groups, numbers }
    }

    pub(crate) fn number(&self, log: &LogId) -> Option<usize> {
        self.numbers.get(log).copied()
    }

    pub(crate) fn group(&self, scope: &ScopeId, partition: u32) -> Option<&Group> {
        self.groups.iter().find(|group| group.scope == *scope && group.partition == partition)
    }
}
