//! Who owns each slice, by the highest signed epoch that any region has answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dcp_core::clock::Clock;
use dcp_core::error::{Error, ErrorKind};
use dcp_core::ids::{RegionId, SliceRef};
use dcp_core::ports::Appends;
use dcp_core::treaty::Treaty;
use tokio::task::JoinSet;

use super::super::decide::{Owner, newer};

/// How long a question may take.
const ASK_DEADLINE: Duration = Duration::from_millis(500);
/// How long the others are waited for once one region has answered: a dark one holds nobody up.
const ASK_GRACE: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct Owners {
    treaty: Arc<Treaty>,
    regions: BTreeMap<RegionId, Arc<dyn Appends>>,
    clock: Arc<dyn Clock>,
    newest: Mutex<BTreeMap<SliceRef, Owner>>,
    asked: BTreeMap<SliceRef, Asked>,
}

/// Questions about one slice: one at a time, its answers for all who waited meanwhile.
#[derive(Debug, Default)]
struct Asked {
    rounds: AtomicU64,
    heard: tokio::sync::Mutex<BTreeSet<RegionId>>,
}

impl Owners {
    pub(super) fn new(
        treaty: Arc<Treaty>,
        regions: BTreeMap<RegionId, Arc<dyn Appends>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let asked = treaty.slices().into_iter().map(|slice| (slice, Asked::default())).collect();
        Self { treaty, regions, clock, newest: Mutex::new(BTreeMap::new()), asked }
    }

    /// The newest owner of a slice that is known.
    pub(super) fn newest(&self, slice: &SliceRef) -> Option<Owner> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).get(slice).cloned()
    }

    /// The endpoint of a region.
    pub(super) fn endpoint(&self, region: &RegionId) -> Result<&Arc<dyn Appends>, Error> {
        self.regions
            .get(region)
            .ok_or_else(|| Error::invalid("no-endpoint", format!("{region} owns a slice and has no endpoint")))
    }

    /// Asks every region for the owner of a slice, unless somebody does already, whose answers then
    /// serve here too; answers who was heard.
    pub(super) async fn ask(&self, slice: &SliceRef) -> Result<BTreeSet<RegionId>, Error> {
        let unknown = || Error::invalid("unknown-slice", format!("the treaty has no slice {slice}"));
        let asked = self.asked.get(slice).ok_or_else(unknown)?;
        let round = asked.rounds.load(Ordering::SeqCst);
        let mut heard = asked.heard.lock().await;
        if asked.rounds.load(Ordering::SeqCst) == round {
            *heard = self.ask_all(slice).await?;
            asked.rounds.fetch_add(1, Ordering::SeqCst);
        }
        Ok(heard.clone())
    }

    /// Asks every region at the same time. Returns at once when a newer owner is learned.
    async fn ask_all(&self, slice: &SliceRef) -> Result<BTreeSet<RegionId>, Error> {
        let before = self.newest(slice);
        let mut questions = JoinSet::new();
        for (region, appends) in &self.regions {
            let (region, appends, slice) = (region.clone(), Arc::clone(appends), slice.clone());
            questions.spawn(async move { (region, appends.ownership(&slice).await) });
        }
        let mut until = self.clock.now().after(ASK_DEADLINE);
        let mut heard = BTreeSet::new();
        loop {
            let answer = tokio::select! {
                biased;
                answer = questions.join_next() => answer,
                () = self.clock.sleep_until(until) => return Ok(heard),
            };
            match answer {
                None => return Ok(heard),
                Some(Ok((region, Ok(grant)))) => {
                    self.learn(slice, &grant).map_err(|error| error.at(&region))?;
                    heard.insert(region);
                    until = until.min(self.clock.now().after(ASK_GRACE));
                }
                Some(Ok((region, Err(error)))) => match error.kind() {
                    // A wrong key, a slice that it does not have, or a chain that contradicts itself.
                    ErrorKind::Invalid | ErrorKind::Corrupt | ErrorKind::Refused => return Err(error.at(&region)),
                    // It does not know, or could not be reached; the others may.
                    ErrorKind::Retry | ErrorKind::Conflict | ErrorKind::Fenced | ErrorKind::Stopped => {}
                },
                Some(Err(cause)) => return Err(Error::stopped("task-ended", cause.to_string())),
            }
            if self.newest(slice) > before {
                return Ok(heard);
            }
        }
    }

    fn learn(&self, slice: &SliceRef, told: &dcp_core::ownership::Ownership) -> Result<(), Error> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = newer(&self.treaty, slice, newest.get(slice), told)?;
        newest.insert(slice.clone(), owner);
        Ok(())
    }
}
