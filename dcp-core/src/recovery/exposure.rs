//! Declaring what may be missing at a takeover.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::parts::RecoveryParts;
use crate::error::{Error, Failure};
use crate::ids::RegionId;
use crate::log::LogId;
use crate::ports::mirror_link::Exposure;
use crate::ports::step_action::{Facts, Readiness, StepAction, StepContext, Taken};

/// Declares the recovery point per log of the lost region, as its link knows it.
#[derive(Debug)]
pub(super) struct DeclareExposure {
    parts: Arc<RecoveryParts>,
    lost: RegionId,
}

impl DeclareExposure {
    pub(super) fn new(parts: Arc<RecoveryParts>, lost: RegionId) -> Self {
        Self { parts, lost }
    }
}

#[async_trait]
impl StepAction for DeclareExposure {
    async fn ready(&self, _context: &StepContext) -> Result<Readiness, Error> {
        Ok(Readiness::Ready)
    }

    async fn act(&self, _context: &StepContext) -> Result<(), Failure> {
        Ok(()) // The outcome's facts are the declaration.
    }

    async fn took(&self, _context: &StepContext) -> Result<Taken, Error> {
        let exposure = self.parts.link(&self.lost)?.exposure().await?;
        let users: BTreeMap<LogId, Exposure> = exposure.into_iter().filter(|(log, _)| !log.is_companion()).collect();
        Ok(Taken::Yes(Facts::new().with("exposure", &users)?))
    }
}
