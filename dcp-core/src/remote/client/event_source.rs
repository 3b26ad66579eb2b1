//! The reading half of an event store behind an endpoint.

use std::borrow::Cow;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::RemoteEndpoint;
use crate::error::Error;
use crate::event::{EventId, Placed};
use crate::fence::Fence;
use crate::ids::{CursorName, ScopeId};
use crate::log::LogId;
use crate::ports::{EventReader, EventSource, ReadFrom, Sighting, StoreIdentity};
use crate::position::{Cut, PrefixDigest};
use crate::remote::server::WAIT_MAX;
use crate::remote::wire::messages::{Open, Prefix, Read, SMALL, Sightings, ids_capacity, paths};

/// The event source that an endpoint offers.
///
/// Its readers hold only a place: each `next` is one request, which the server answers at once if
/// there are records and else when the first arrives or the wait is over. An answer is about 4 MiB
/// at most, so that it may hold fewer records than asked though there are more.
#[derive(Debug, Clone)]
pub struct RemoteEventSource {
    endpoint: RemoteEndpoint,
}

impl RemoteEventSource {
    /// The source behind this endpoint.
    #[must_use]
    pub fn new(endpoint: RemoteEndpoint) -> Self {
        Self { endpoint }
    }

    fn deadline(&self) -> Duration {
        self.endpoint.deadlines().read()
    }
}

#[async_trait]
impl EventSource for RemoteEventSource {
    async fn identity(&self) -> Result<StoreIdentity, Error> {
        self.endpoint.ask(paths::EVENTS_IDENTITY, &(), SMALL, self.deadline()).await
    }

    async fn ends(&self, logs: &[LogId]) -> Result<Cut, Error> {
        self.endpoint.ask(paths::EVENTS_ENDS, logs, SMALL + logs.len() * 64, self.deadline()).await
    }

    async fn logs(&self) -> Result<Vec<LogId>, Error> {
        self.endpoint.ask(paths::EVENTS_LOGS, &(), SMALL, self.deadline()).await
    }

    async fn fence(&self, log: &LogId) -> Result<Fence, Error> {
        self.endpoint.ask(paths::EVENTS_FENCE, log, SMALL, self.deadline()).await
    }

    async fn prefix(&self, log: &LogId, count: u64) -> Result<Option<PrefixDigest>, Error> {
        let question = Prefix { log: Cow::Borrowed(log), count };
        self.endpoint.ask(paths::EVENTS_PREFIX, &question, SMALL, self.deadline()).await
    }

    async fn sightings(&self, scope: &ScopeId, partition: u32, ids: &[EventId]) -> Result<Vec<Sighting>, Error> {
        let question = Sightings { scope: Cow::Borrowed(scope), partition, ids: Cow::Borrowed(ids) };
        self.endpoint.ask(paths::EVENTS_SIGHTINGS, &question, ids_capacity(ids), self.deadline()).await
    }

    async fn cursor(&self, name: &CursorName) -> Result<Option<Bytes>, Error> {
        self.endpoint.ask(paths::EVENTS_CURSOR, name, SMALL, self.deadline()).await
    }

    async fn open_reader(&self, log: &LogId, from: ReadFrom) -> Result<Box<dyn EventReader>, Error> {
        let question = Open { log: Cow::Borrowed(log), from };
        self.endpoint.ask::<_, ()>(paths::EVENTS_OPEN, &question, SMALL, self.deadline()).await?;
        Ok(Box::new(RemoteReader { endpoint: self.endpoint.clone(), log: log.clone(), from }))
    }
}

#[derive(Debug)]
struct RemoteReader {
    endpoint: RemoteEndpoint,
    log: LogId,
    from: ReadFrom,
}

#[async_trait]
impl EventReader for RemoteReader {
    async fn next(&mut self, limit: usize, wait: Duration) -> Result<Vec<Placed>, Error> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let clock = &self.endpoint.0.clock;
        let until = clock.now().after(wait);
        loop {
            // A server waits for a bounded time only; a longer wait is asked for in parts.
            let left = until.since(clock.now());
            let part = left.min(WAIT_MAX);
            let wait_ms = u64::try_from(part.as_millis()).unwrap_or(u64::MAX);
            let question = Read { log: Cow::Borrowed(&self.log), from: self.from, limit: limit as u64, wait_ms };
            let deadline = part + self.endpoint.deadlines().read();
            let records: Vec<Placed> = self.endpoint.ask(paths::EVENTS_READ, &question, SMALL, deadline).await?;
            if let Some(last) = records.last() {
                // The only step of the place, after the last point at which this can be dropped.
                self.from = ReadFrom::After(last.position);
                return Ok(records);
            }
            if left <= WAIT_MAX {
                return Ok(records);
            }
        }
    }
}
