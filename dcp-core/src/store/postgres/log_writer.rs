//! What all sessions of one log share: the lane where their batches wait, and who writes them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::group::{self, Asked};
use super::server::Server;
use super::tail::Memory;
use crate::error::{Error, Failure};
use crate::log::LogId;
use crate::position::{LogIncarnation, PrefixDigest};
use crate::store::lanes::{Lane, Writes};
use crate::store::wakers::Wakers;
use crate::store::work::Done;

/// The one writer of a log in this process.
#[derive(Debug)]
pub(super) struct LogWriter {
    server: Arc<Server>,
    incarnation: LogIncarnation,
    wakers: Arc<Wakers>,
    log: LogId,
    memory: Mutex<Memory>,
}

impl LogWriter {
    fn known(&self) -> PrefixDigest {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).known
    }

    fn keep(&self, memory: Memory) {
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = memory;
    }

    // What is left while a group is written: its outcome may never be known here.
    fn take_memory(&self) -> Memory {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let tail = memory.tail.take();
        Memory { tail, known: memory.known }
    }
}

impl Writes for LogWriter {
    type Asked = Asked;

    async fn write(&self, group: Vec<Asked>) -> Result<Vec<Result<Done, Error>>, Failure> {
        let mut memory = self.take_memory();
        let outcome = group::write(&self.server, &self.log, self.incarnation, group, &mut memory).await;
        self.keep(memory);
        self.wakers.wake(&self.log);
        outcome
    }
}

/// The lanes of one store.
#[derive(Debug)]
pub(super) struct Lanes {
    server: Arc<Server>,
    incarnation: LogIncarnation,
    wakers: Arc<Wakers>,
    lanes: Mutex<BTreeMap<LogId, Arc<Lane<LogWriter>>>>,
}

impl Lanes {
    pub(super) fn new(server: Arc<Server>, incarnation: LogIncarnation, wakers: Arc<Wakers>) -> Self {
        Self { server, incarnation, wakers, lanes: Mutex::default() }
    }

    /// The most that this process knows to be committed to a log.
    pub(super) fn known(&self, log: &LogId) -> PrefixDigest {
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.get(log).map_or(PrefixDigest::EMPTY, |lane| lane.writes().known())
    }

    /// A log's lane, the same for every session.
    pub(super) fn of(&self, log: &LogId) -> Arc<Lane<LogWriter>> {
        let writer = || LogWriter {
            server: Arc::clone(&self.server),
            incarnation: self.incarnation,
            wakers: Arc::clone(&self.wakers),
            log: log.clone(),
            memory: Mutex::default(),
        };
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lanes.entry(log.clone()).or_insert_with(|| Lane::new(writer())))
    }
}
