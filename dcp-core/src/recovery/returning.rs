//! The return of a region: seal it, classify its logs, fold late streams again, compare.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::parts::RecoveryParts;
use crate::error::{Error, Failure};
use crate::ids::RegionId;
use crate::log::LogId;
use crate::ownership::WriteGrant;
use crate::ports::step_action::{Facts, Readiness, StepAction, StepContext, Taken};
use crate::position::{Cut, PrefixDigest};

/// Seals the returned region's own logs at the present epoch, drains, and takes the receipt.
#[derive(Debug)]
pub(super) struct SealReturned {
    parts: Arc<RecoveryParts>,
    returned: RegionId,
}

impl SealReturned {
    pub(super) fn new(parts: Arc<RecoveryParts>, returned: RegionId) -> Self {
        Self { parts, returned }
    }

    async fn grants(&self) -> Result<Vec<WriteGrant>, Error> {
        let may_own = |head: &WriteGrant| {
            self.parts.treaty.scope(&head.slice.scope).is_ok_and(|terms| terms.may_own(&self.returned))
        };
        let heads = self.parts.heads().await?;
        Ok(heads.into_iter().filter(|head| head.owner == self.parts.region && may_own(head)).collect())
    }
}

#[async_trait]
impl StepAction for SealReturned {
    async fn ready(&self, _context: &StepContext) -> Result<Readiness, Error> {
        Ok(match self.parts.peer(&self.returned)?.source.identity().await {
            Ok(_) => Readiness::Ready,
            Err(error) => Readiness::NotYet(format!("{} does not answer yet: {error}", self.returned)),
        })
    }

    async fn act(&self, _context: &StepContext) -> Result<(), Failure> {
        let peer = self.parts.peer(&self.returned).map_err(Failure::NotApplied)?;
        for grant in self.grants().await.map_err(Failure::NotApplied)? {
            let token = self.parts.token(&grant).map_err(Failure::NotApplied)?;
            let guard = peer.guards.get(&grant.slice).ok_or_else(|| {
                Failure::NotApplied(Error::invalid(
                    "unknown-guard",
                    format!("{}: no guard at {}", grant.slice, self.returned),
                ))
            })?;
            guard.seal(&token).await?;
        }
        Ok(())
    }

    // Sealing again at the same token answers the same receipt, so the probe asks the fences and
    // reads the ends: nothing can be appended under a raised fence, so they stand still.
    async fn took(&self, _context: &StepContext) -> Result<Taken, Error> {
        let peer = self.parts.peer(&self.returned)?;
        let mut logs = Vec::new();
        for grant in self.grants().await? {
            for log in self.parts.treaty.logs_of(&grant.slice, &self.returned)? {
                let fence = peer.source.fence(&log).await?;
                if fence.highest().is_none_or(|rank| rank.epoch < grant.epoch) {
                    return Ok(Taken::No);
                }
                logs.push(log);
            }
        }
        let ends = peer.source.ends(&logs).await?;
        Ok(Taken::Yes(Facts::new().with("ends", &ends)?))
    }
}

/// Classifies each returned log against the mirror: only intact ones may deliver a tail.
#[derive(Debug)]
pub(super) struct Classify {
    parts: Arc<RecoveryParts>,
    returned: RegionId,
}

impl Classify {
    pub(super) fn new(parts: Arc<RecoveryParts>, returned: RegionId) -> Self {
        Self { parts, returned }
    }
}

/// How a returned log stands to the mirror that the survivor kept.
fn classify(returned: Option<PrefixDigest>, mirror: &PrefixDigest, returned_count: u64) -> &'static str {
    match returned {
        Some(prefix) if prefix == *mirror => "intact",
        Some(_) => "diverged",
        None if returned_count == 0 => "empty",
        None => "behind",
    }
}

#[async_trait]
impl StepAction for Classify {
    async fn ready(&self, _context: &StepContext) -> Result<Readiness, Error> {
        Ok(Readiness::Ready)
    }

    async fn act(&self, _context: &StepContext) -> Result<(), Failure> {
        Ok(()) // Read-only: `took` compares.
    }

    async fn took(&self, context: &StepContext) -> Result<Taken, Error> {
        let ends: Cut = context.facts_of("seal-returned")?.get("ends")?;
        let logs: Vec<LogId> = ends.iter().map(|(log, _)| log.clone()).collect();
        let here = self.parts.store.ends(&logs).await?;
        let peer = self.parts.peer(&self.returned)?;
        let (mut classes, mut tail) = (BTreeMap::new(), BTreeMap::new());
        for (log, end) in ends.iter() {
            let mirror = here.get(log).map_or(PrefixDigest::EMPTY, |end| end.prefix);
            let class = classify(peer.source.prefix(log, mirror.count).await?, &mirror, end.prefix.count);
            classes.insert(log.clone(), class);
            tail.insert(log.clone(), end.prefix.count.saturating_sub(mirror.count));
        }
        if let Some((log, class)) = classes.iter().find(|(_, class)| **class != "intact") {
            return Err(Error::refused(
                "not-intact",
                format!(
                    "{log}: {class}; the returned region does not hold what was mirrored from it: keep both sides and reseed"
                ),
            ));
        }
        Ok(Taken::Yes(Facts::new().with("classes", &classes)?.with("unreplicated", &tail)?))
    }
}

/// Folds every dirty stream again, once, after the tail was applied.
#[derive(Debug)]
pub(super) struct Refold {
    parts: Arc<RecoveryParts>,
}

impl Refold {
    pub(super) fn new(parts: Arc<RecoveryParts>) -> Self {
        Self { parts }
    }
}

#[async_trait]
impl StepAction for Refold {
    async fn ready(&self, context: &StepContext) -> Result<Readiness, Error> {
        let ends: Cut = context.facts_of("seal-returned")?.get("ends")?;
        let status = self.parts.replay.status().await?;
        if let Some((projection, reason)) = status.stopped.iter().next() {
            return Ok(Readiness::Refused(format!("projection {projection} has stopped: {reason}")));
        }
        Ok(if status.reached(&ends) {
            Readiness::Ready
        } else {
            Readiness::NotYet("the projections have not applied the returned tail yet".to_owned())
        })
    }

    async fn act(&self, context: &StepContext) -> Result<(), Failure> {
        let prepare = || {
            let ends: Cut = context.facts_of("seal-returned")?.get("ends")?;
            Ok::<_, Error>((ends, self.parts.operation(context.key())?))
        };
        let (ends, operation) = prepare().map_err(Failure::NotApplied)?;
        self.parts.replay.refold(&operation, &ends).await
    }

    async fn took(&self, _context: &StepContext) -> Result<Taken, Error> {
        let status = self.parts.replay.status().await?;
        if status.dirty.values().any(|streams| *streams > 0) {
            return Ok(Taken::No);
        }
        let own = self.parts.store.ends(&self.parts.treaty.logs_by_origin(&self.parts.region)).await?;
        Ok(Taken::Yes(Facts::new().with("own_ends", &own)?))
    }
}

/// Waits until the returned region holds what this one has written meanwhile.
#[derive(Debug)]
pub(super) struct CatchUp {
    parts: Arc<RecoveryParts>,
    returned: RegionId,
}

impl CatchUp {
    pub(super) fn new(parts: Arc<RecoveryParts>, returned: RegionId) -> Self {
        Self { parts, returned }
    }
}

#[async_trait]
impl StepAction for CatchUp {
    async fn ready(&self, _context: &StepContext) -> Result<Readiness, Error> {
        Ok(Readiness::Ready)
    }

    async fn act(&self, _context: &StepContext) -> Result<(), Failure> {
        Ok(()) // The returned region's own link pulls; `took` looks.
    }

    async fn took(&self, context: &StepContext) -> Result<Taken, Error> {
        let wanted: Cut = context.facts_of("refold")?.get("own_ends")?;
        let logs: Vec<LogId> = wanted.iter().map(|(log, _)| log.clone()).collect();
        let there = self.parts.peer(&self.returned)?.source.ends(&logs).await?;
        let missing: u64 = wanted
            .iter()
            .map(|(log, end)| end.prefix.count.saturating_sub(there.get(log).map_or(0, |end| end.prefix.count)))
            .sum();
        if missing > 0 {
            return Ok(Taken::NotYet(format!("{} has still {missing} records to copy", self.returned)));
        }
        Ok(Taken::Yes(Facts::new().with("logs", &logs.len())?))
    }
}

/// Compares every shared log at a common cut: count and ordered digest.
#[derive(Debug)]
pub(super) struct Parity {
    parts: Arc<RecoveryParts>,
    returned: RegionId,
}

impl Parity {
    pub(super) fn new(parts: Arc<RecoveryParts>, returned: RegionId) -> Self {
        Self { parts, returned }
    }
}

#[async_trait]
impl StepAction for Parity {
    async fn ready(&self, _context: &StepContext) -> Result<Readiness, Error> {
        Ok(Readiness::Ready)
    }

    async fn act(&self, _context: &StepContext) -> Result<(), Failure> {
        Ok(()) // Read-only: `took` compares.
    }

    async fn took(&self, _context: &StepContext) -> Result<Taken, Error> {
        let logs = self.parts.shared_logs(&self.returned);
        let peer = self.parts.peer(&self.returned)?;
        let (here, there) = (self.parts.store.ends(&logs).await?, peer.source.ends(&logs).await?);
        let mut records = 0;
        for log in &logs {
            let count_of = |cut: &Cut| cut.get(log).map_or(0, |end| end.prefix.count);
            let common = count_of(&here).min(count_of(&there));
            let (ours, theirs) = (self.parts.store.prefix(log, common).await?, peer.source.prefix(log, common).await?);
            if ours != theirs || ours.is_none() {
                let message =
                    format!("{log}: at {common} records ours is {ours:?}, that of {} is {theirs:?}", self.returned);
                return Err(Error::corrupt("diverged", message));
            }
            records += common;
        }
        Ok(Taken::Yes(Facts::new().with("logs", &logs.len())?.with("records", &records)?))
    }
}
