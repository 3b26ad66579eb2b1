//! A writing session.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::log_writer::LogWriter;
use crate::error::Failure;
use crate::log::LogId;
use crate::store::lanes::{Lane, LaneTasks};
use crate::store::work::{Done, Work};
use crate::store::writer::{Submits, not_opened};

#[derive(Debug)]
pub(super) struct KafkaSession {
    pub(super) tasks: Arc<LaneTasks>,
    pub(super) lanes: BTreeMap<LogId, Arc<Lane<LogWriter>>>,
}

impl Submits for KafkaSession {
    async fn submit(&self, log: &LogId, work: Work) -> Result<Done, Failure> {
        let lane = self.lanes.get(log).ok_or_else(|| not_opened(log))?;
        lane.submit(&self.tasks, work).await
    }
}
