//! A reading session on one log.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::news::News;
use super::rows;
use super::same_store;
use super::server::{Server, Value};
use crate::error::Error;
use crate::event::Placed;
use crate::log::LogId;
use crate::ports::event_store::EventReader;
use crate::position::{LogIncarnation, PrefixDigest};

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
    /// The log up to the last record that was fetched.
    fetched: PrefixDigest,
    ready: VecDeque<Placed>,
    grown: watch::Receiver<()>,
}

impl PostgresReader {
    pub(super) fn new(
        server: Arc<Server>,
        news: Arc<News>,
        log: LogId,
        incarnation: LogIncarnation,
        fetched: PrefixDigest,
    ) -> Self {
        let grown = news.subscribe(&log);
        Self { server, news, log, incarnation, fetched, ready: VecDeque::new(), grown }
    }

    // What was fetched is kept before anything is awaited again, so that a dropped call loses nothing.
    async fn take(&mut self, limit: usize) -> Result<Vec<Placed>, Error> {
        if self.ready.is_empty() {
            (self.ready, self.fetched) = self.fetch(limit.min(PAGE)).await?;
        }
        let count = limit.min(self.ready.len());
        Ok(self.ready.drain(..count).collect())
    }

    // The records, and the log up to the last of them. They are refused if what was fetched before them is no
    // longer what is stored before them.
    async fn fetch(&self, limit: usize) -> Result<(VecDeque<Placed>, PrefixDigest), Error> {
        let (scope, origin) = (self.log.scope().as_str(), self.log.origin().as_str());
        let (partition, after) = (i64::from(self.log.partition()), rows::signed(self.fetched.count)?);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values: [Value<'_>; 6] = [&scope, &origin, &partition, &after, &limit, &PAGE_BYTES];
        let texts = &self.server.statements;
        let asked = self.server.read(async |session| {
            let records = session.prepared(&texts.records).await?;
            let (prefix, which) = (session.prepared(&texts.prefix).await?, session.prepared(&texts.incarnation).await?);
            // In one breath, and what is compared behind what is read.
            let (page, before, store) = tokio::join!(biased; session.rows(&records, &values),
                session.rows(&prefix, &values[..4]), session.rows(&which, &[]));
            let (page, before) = (page?, before?);
            same_store::check_store(&store?, self.incarnation)?;
            same_store::check_record(&before, &self.log, self.fetched)?;
            Ok(page)
        });
        let page = asked.await?;
        let mut placed = VecDeque::new();
        for (row, rank) in page.iter().zip(self.fetched.count + 1..) {
            let one = rows::placed(row, &self.log, self.incarnation)?;
            if one.position.rank() != rank {
                let found = one.position.rank();
                return Err(super::fault::damaged(format!("{}: record {found} follows {}", self.log, rank - 1)));
            }
            placed.push_back(one);
        }
        let Some(last) = page.last() else { return Ok((placed, self.fetched)) };
        let count = self.fetched.count + placed.len() as u64;
        Ok((placed, PrefixDigest { count, digest: rows::digest(last.get(rows::PREFIX_READ), &self.log)? }))
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
