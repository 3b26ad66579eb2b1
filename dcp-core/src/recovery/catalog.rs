//! Binds the steps of the recovery plans to their actions.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;

use super::exposure::DeclareExposure;
use super::links::{AwaitEnds, SteerLink, Wanted};
use super::opening::{ConfirmHealth, OpenLogs};
use super::ownership::reseal;
use super::parts::RecoveryParts;
use super::releasing::Release;
use super::returning::{CatchUp, Classify, Parity, Refold, SealReturned};
use super::sealing::SealOwn;
use super::take_released::TakeReleased;
use super::take_run_out::TakeRunOut;
use crate::error::{Error, Failure};
use crate::ids::{RegionId, RunId, SliceRef, StepId};
use crate::ports::step_action::{Facts, StepAction};
use crate::runbook::{ActionCatalog, Step};

/// The actions of `blackout`, `rejoin` and `switchover` in one region.
#[derive(Debug, Clone)]
pub struct RecoveryCatalog {
    parts: Arc<RecoveryParts>,
}

#[derive(Debug, Deserialize)]
struct OfRegion {
    region: RegionId,
}

#[derive(Debug, Deserialize)]
struct OfSlice {
    slice: SliceRef,
    region: RegionId,
}

fn arguments<'a, T: Deserialize<'a>>(step: &'a Step) -> Result<T, Error> {
    T::deserialize(&step.arguments)
        .map_err(|cause| Error::invalid("bad-arguments", format!("step {}: {cause}", step.id)))
}

impl RecoveryCatalog {
    /// Over the ports of one region.
    #[must_use]
    pub fn new(parts: Arc<RecoveryParts>) -> Self {
        Self { parts }
    }

    fn of_region(&self, step: &Step) -> Result<Arc<dyn StepAction>, Error> {
        let (parts, OfRegion { region }) = (Arc::clone(&self.parts), arguments(step)?);
        Ok(match step.action.as_str() {
            "pause-link" => Arc::new(SteerLink::new(parts, region, Wanted::Paused)),
            "deliver-tail" => Arc::new(SteerLink::new(parts, region, Wanted::StagedTo("seal-returned"))),
            "reopen-link" => Arc::new(SteerLink::new(parts, region, Wanted::Active)),
            "take-run-out" => Arc::new(TakeRunOut::new(parts, region)),
            "declare-exposure" => Arc::new(DeclareExposure::new(parts, region)),
            "seal-returned" => Arc::new(SealReturned::new(parts, region)),
            "classify" => Arc::new(Classify::new(parts, region)),
            "catch-up" => Arc::new(CatchUp::new(parts, region)),
            "parity" => Arc::new(Parity::new(parts, region)),
            other => return Err(Error::invalid("unknown-action", format!("step {}: no action {other:?}", step.id))),
        })
    }
}

#[async_trait]
impl ActionCatalog for RecoveryCatalog {
    fn bind(&self, step: &Step) -> Result<Arc<dyn StepAction>, Error> {
        let parts = Arc::clone(&self.parts);
        Ok(match step.action.as_str() {
            "seal-own" => Arc::new(SealOwn::new(parts)),
            "open-logs" => Arc::new(OpenLogs::new(parts)),
            "confirm-health" => Arc::new(ConfirmHealth::new(parts)),
            "await-ends" => Arc::new(AwaitEnds::new(parts)),
            "refold" => Arc::new(Refold::new(parts)),
            "release" => {
                let OfSlice { slice, region } = arguments(step)?;
                Arc::new(Release::new(parts, slice, region))
            }
            "take-released" => {
                let OfSlice { slice, region } = arguments(step)?;
                Arc::new(TakeReleased::new(parts, slice, region))
            }
            _ => return self.of_region(step),
        })
    }

    fn compensation(&self, step: &Step) -> Result<Option<Arc<dyn StepAction>>, Error> {
        match &step.compensation {
            None => Ok(None),
            Some(action) if action == "reopen-link" => {
                let OfRegion { region } = arguments(step)?;
                Ok(Some(Arc::new(SteerLink::new(Arc::clone(&self.parts), region, Wanted::Active))))
            }
            Some(action) => Err(Error::invalid("unknown-action", format!("step {}: no action {action:?}", step.id))),
        }
    }

    async fn prepare(&self, _run: &RunId, done: &BTreeMap<StepId, Facts>) -> Result<(), Failure> {
        reseal(&self.parts, done).await
    }
}
