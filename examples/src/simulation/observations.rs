//! What is seen from outside the regions while the story goes on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use dcp_core::Error;
use dcp_core::ids::{RegionId, ScopeId, SliceRef};
use dcp_core::ownership::Epoch;
use dcp_core::ports::{Key, Witness};
use dcp_core::treaty::Treaty;

/// Something that must not be, with the check that found it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Finding {
    /// Name of the invariant or check.
    pub check: &'static str,
    /// What was found.
    pub what: String,
}

/// Watches what every endpoint acknowledges and what every resource has seen.
#[derive(Debug)]
pub(super) struct Observer {
    treaty: Arc<Treaty>,
    // Past all wires: what the witness holds, whoever can reach it.
    witness: Arc<dyn Witness>,
    state: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    findings: Vec<Finding>,
    checked: BTreeMap<&'static str, u64>,
    fences: BTreeMap<String, Epoch>,
    journal: BTreeMap<(&'static str, Key), Bytes>,
}

impl Observer {
    pub(super) fn new(treaty: Arc<Treaty>, witness: Arc<dyn Witness>) -> Arc<Self> {
        Arc::new(Self { treaty, witness, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, Seen> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more comparison of a check; what is wrong becomes a finding.
    pub(super) fn check(&self, check: &'static str, wrong: Option<String>) {
        let mut state = self.state();
        *state.checked.entry(check).or_default() += 1;
        if let Some(what) = wrong {
            state.findings.push(Finding { check, what });
        }
    }

    pub(super) fn findings(&self) -> (Vec<Finding>, BTreeMap<&'static str, u64>) {
        let state = self.state();
        (state.findings.clone(), state.checked.clone())
    }

    /// A region's plane has ended by itself.
    pub(super) fn ended(&self, region: &str, error: &Error) {
        self.check("plane", Some(format!("{region}: the plane ended: {error}")));
    }

    /// A region is about to acknowledge an append: its epoch must be the witness's.
    pub(super) async fn acknowledged(&self, by: &RegionId, scope: &ScopeId, partition: u32, epoch: Epoch) {
        let head = async {
            let slice = SliceRef::new(scope.clone(), self.treaty.scope(scope)?.slice_of(partition)?.clone());
            Ok::<_, Error>((slice.clone(), self.witness.ownership(&slice).await?))
        };
        let wrong = match head.await {
            Ok((_, Some(head))) if head.epoch == epoch && &head.owner == by => None,
            Ok((slice, head)) => {
                let now = head.map_or_else(|| "nobody".to_owned(), |head| format!("{} of {}", head.epoch, head.owner));
                Some(format!("{by} acknowledged {slice} under epoch {epoch}, now {now}"))
            }
            Err(error) => Some(error.to_string()),
        };
        self.check("F3", wrong);
    }

    /// A journal entry was answered as durable.
    pub(super) fn journal_entry(&self, region: &'static str, key: Key, value: Bytes) {
        let before = self.state().journal.insert((region, key.clone()), value.clone());
        let other = before.is_some_and(|before| before != value);
        self.check("journal", other.then(|| format!("{region}: {key} was answered twice, with two contents")));
    }

    /// What every journal was answered: the entries by region and key.
    pub(super) fn journal(&self) -> BTreeMap<(&'static str, Key), Bytes> {
        self.state().journal.clone()
    }

    /// What a fence shows now: never less than before.
    pub(super) fn fence(&self, resource: String, epoch: Epoch) {
        let highest = {
            let mut state = self.state();
            let highest = state.fences.entry(resource.clone()).or_insert(epoch);
            let before = *highest;
            *highest = before.max(epoch);
            before
        };
        let wrong = (epoch < highest).then(|| format!("{resource}: its fence went from {highest} down to {epoch}"));
        self.check("F1", wrong);
    }
}
