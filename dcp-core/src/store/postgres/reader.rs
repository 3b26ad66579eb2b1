//! A reading session on one log.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::news::News;
use super::rows;
use super::server::{Server, Value};
use crate::error::Error;
use crate::event::Placed;
use crate::log::LogId;
use crate::ports::event_store::EventReader;
use crate::position::LogIncarnation;

/// Most records of one question, and most bytes beyond its first record.
const PAGE: usize = 2_000;
const PAGE_BYTES: i64 = 4 << 20;

/// Reads page by page, by rank. Ranks have no gaps and become visible in their order, so that a page
/// that begins anywhere else than where the last one ended is a damaged log, and never skipped.
#[derive(Debug)]
pub(super) struct PostgresReader {
    server: Arc<Server>,
    news: Arc<News>,
    log: LogId,
    incarnation: LogIncarnation,
    /// Rank of the last record that was fetched.
    fetched: u64,
    ready: VecDeque<Placed>,
    grown: watch::Receiver<()>,
}

impl PostgresReader {
    pub(super) fn new(
        server: Arc<Server>,
        news: Arc<News>,
        log: LogId,
        incarnation: LogIncarnation,
        after: u64,
    ) -> Self {
        let grown = news.subscribe(&log);
        Self { server, news, log, incarnation, fetched: after, ready: VecDeque::new(), grown }
    }

    // What was fetched is kept before anything is awaited again, so that a dropped call loses nothing.
    async fn take(&mut self, limit: usize) -> Result<Vec<Placed>, Error> {
        if self.ready.is_empty() {
            let fetched = self.fetch(limit.min(PAGE)).await?;
            self.fetched = fetched.back().map_or(self.fetched, |last: &Placed| last.position.rank());
            self.ready = fetched;
        }
        let count = limit.min(self.ready.len());
        Ok(self.ready.drain(..count).collect())
    }

    async fn fetch(&self, limit: usize) -> Result<VecDeque<Placed>, Error> {
        let (scope, origin) = (self.log.scope().as_str(), self.log.origin().as_str());
        let (partition, after) = (i64::from(self.log.partition()), rows::signed(self.fetched)?);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values: [Value<'_>; 6] = [&scope, &origin, &partition, &after, &limit, &PAGE_BYTES];
        let asked = self.server.read(async |session| session.ask(&self.server.statements.records, &values).await);
        let mut placed = VecDeque::new();
        for (row, rank) in asked.await?.iter().zip(self.fetched + 1..) {
            let one = rows::placed(row, &self.log, self.incarnation)?;
            if one.position.rank() != rank {
                let found = one.position.rank();
                return Err(super::fault::damaged(format!("{}: record {found} follows {}", self.log, rank - 1)));
            }
            placed.push_back(one);
        }
        Ok(placed)
    }

    async fn wait_for_records(&mut self, limit: usize) -> Result<Vec<Placed>, Error> {
        loop {
            // Marked as seen before reading: a commit after this wakes the wait below.
            self.grown.borrow_and_update();
            let records = self.take(limit).await?;
            if !records.is_empty() {
                return Ok(records);
            }
            self.news.wait(&mut self.grown).await?;
        }
    }
}

#[async_trait]
impl EventReader for PostgresReader {
    async fn next(&mut self, limit: usize, wait: Duration) -> Result<Vec<Placed>, Error> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let there = self.take(limit).await?;
        if !there.is_empty() || wait.is_zero() {
            return Ok(there);
        }
        tokio::time::timeout(wait, self.wait_for_records(limit)).await.unwrap_or_else(|_| Ok(Vec::new()))
    }
}
