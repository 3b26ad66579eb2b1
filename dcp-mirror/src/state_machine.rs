//! What is durable of a link, and how an operation changes it. Pure.

use std::collections::BTreeMap;

use dcp_core::Error;
use dcp_core::fence::Term;
use dcp_core::ids::{LinkId, RegionId};
use dcp_core::log::LogId;
use dcp_core::operation::OperationKey;
use dcp_core::ports::{LinkDesire, LinkState};
use dcp_core::position::PrefixDigest;
use serde::{Deserialize, Serialize};

use crate::decide::Divergence;

/// Most issuers whose terms one link remembers; a treaty has fewer regions.
const ISSUERS_MAX: usize = 64;

/// What is durable of a link, as JSON under `link/<id>/state`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredState {
    /// What it shall do.
    pub(crate) desire: LinkDesire,
    /// The last operation that changed it; repeated, it has no further effect.
    pub(crate) operation: Option<OperationKey>,
    /// Per issuer the highest term seen.
    pub(crate) terms: BTreeMap<RegionId, u64>,
    /// Why it stopped by itself, until an operator releases it.
    pub(crate) failure: Option<Divergence>,
}

impl Default for StoredState {
    /// What holds while nothing is stored: a link that was set up copies.
    fn default() -> Self {
        Self { desire: LinkDesire::active(), operation: None, terms: BTreeMap::new(), failure: None }
    }
}

impl StoredState {
    /// The state that a worker adopts: a failure outweighs every desire.
    pub(crate) fn effective(&self) -> LinkState {
        if self.failure.is_some() { LinkState::Failed } else { self.desire.state }
    }
}

/// What an operation asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// Another desire.
    Desire(LinkDesire),
    /// An operator has looked at the failure; the link compares again before it copies.
    Release,
}

/// The state after an operation; none if it is there already.
pub(crate) fn change(
    link: &LinkId,
    stored: &StoredState,
    key: &OperationKey,
    term: &Term,
    change: &Change,
) -> Result<Option<StoredState>, Error> {
    let highest = stored.terms.get(&term.issuer).copied();
    if highest.is_some_and(|highest| term.revision < highest) {
        return Err(Error::fenced(
            "stale-term",
            format!(
                "link {link}: {key} comes under revision {} of {}, revision {} was seen",
                term.revision,
                term.issuer,
                highest.unwrap_or(0)
            ),
        ));
    }
    if highest.is_none() && stored.terms.len() >= ISSUERS_MAX {
        return Err(Error::refused(
            "too-many-issuers",
            format!("link {link}: terms of {ISSUERS_MAX} issuers were seen"),
        ));
    }
    let mut next = stored.clone();
    match change {
        Change::Desire(desire) => next.desire = desire.clone(),
        Change::Release => next.failure = None,
    }
    next.operation = Some(key.clone());
    next.terms.insert(term.issuer.clone(), term.revision);
    Ok((next != *stored).then_some(next))
}

/// Checks that a desire can be followed by a link that copies logs for which `copies` holds.
pub(crate) fn check_desire(link: &LinkId, desire: &LinkDesire, copies: impl Fn(&LogId) -> bool) -> Result<(), Error> {
    let staging = desire.state == LinkState::ReadOnlyStaging;
    if desire.state == LinkState::Failed || staging != desire.until.is_some() {
        return Err(Error::invalid(
            "bad-desire",
            format!("link {link}: wanted is active or paused without a cut, or read-only staging with one"),
        ));
    }
    let foreign = desire.until.iter().flat_map(|cut| cut.iter()).find(|(log, _)| !copies(log));
    match foreign {
        Some((log, _)) => Err(Error::invalid("unknown-log", format!("link {link} does not copy {log}"))),
        None => Ok(()),
    }
}

/// Whether every end that a staging desire names is reached, with the digest that it names.
pub(crate) fn reached(stored: &StoredState, applied: &BTreeMap<LogId, PrefixDigest>) -> bool {
    let staging = stored.effective() == LinkState::ReadOnlyStaging;
    let cut = stored.desire.until.as_ref().filter(|_| staging);
    cut.is_some_and(|cut| {
        cut.iter().all(|(log, end)| {
            let applied = applied.get(log).copied().unwrap_or(PrefixDigest::EMPTY);
            applied.count > end.prefix.count || applied == end.prefix
        })
    })
}

#[cfg(test)]
mod tests;
