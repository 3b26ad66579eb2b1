//! What all sessions of one log share: the lane where their batches wait, and who writes them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::group::{self, Asked};
use super::server::Server;
use super::tail::Tail;
use crate::error::{Error, Failure};
use crate::log::LogId;
use crate::position::LogIncarnation;
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
    // What the last group left; none while one is written, and after one whose outcome is not known.
    tail: Mutex<Option<Tail>>,
}

impl LogWriter {
    fn replace_tail(&self, tail: Option<Tail>) -> Option<Tail> {
        std::mem::replace(&mut *self.tail.lock().unwrap_or_else(PoisonError::into_inner), tail)
    }
}

impl Writes for LogWriter {
    type Asked = Asked;

    async fn write(&self, group: Vec<Asked>) -> Result<Vec<Result<Done, Error>>, Failure> {
        let mut tail = self.replace_tail(None);
        let outcome = group::write(&self.server, &self.log, self.incarnation, group, &mut tail).await;
        self.replace_tail(tail);
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

    /// A log's lane, the same for every session.
    pub(super) fn of(&self, log: &LogId) -> Arc<Lane<LogWriter>> {
        let writer = || LogWriter {
            server: Arc::clone(&self.server),
            incarnation: self.incarnation,
            wakers: Arc::clone(&self.wakers),
            log: log.clone(),
            tail: Mutex::default(),
        };
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lanes.entry(log.clone()).or_insert_with(|| Lane::new(writer())))
    }
}
