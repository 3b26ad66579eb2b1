//! The plainest link that keeps every clause, one record at a time, into which a defect can be
//! planted. It shows that the clauses ask for nothing but what the contract says, and that each
//! finds its own defect.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dcp_core::clock::Moment;
use dcp_core::digest::Digest;
use dcp_core::event::Placed;
use dcp_core::ids::{CursorName, LinkId, RegionId};
use dcp_core::log::LogId;
use dcp_core::operation::Operation;
use dcp_core::ports::{
    CopyBatch, Cursor, EventSourceExt as _, EventStore, EventWriter, Exposure, Key, LinkDesire, LinkState, LinkStatus,
    LogProgress, MirrorLink, OwnerBatch, ReadFrom, Transaction, WriterRole,
};
use dcp_core::position::{LogEnd, Position, PrefixDigest};
use dcp_core::testing::mirror_link::{LinkParts, MirrorLinkFixture, StartedLink};
use dcp_core::{Error, ErrorKind, Failure};
use dcp_mirror::Heartbeat;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

/// A defect to plant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    /// Copies users' records without their headers.
    DropsHeaders,
    /// Keeps the cursor in the state store, after the copy.
    CursorApart,
    /// Sets itself going when it is started.
    ForgetsPause,
    /// Stops one record before a named end, and says it is reached.
    SkipsTail,
    /// Goes on by count, whatever the source holds.
    ComparesNothing,
    /// Opens another writer when it is fenced.
    FencesBack,
    /// Counts the age of a heartbeat from the time that its writer wrote into it.
    SourceClock,
    /// Takes any term.
    ForgetsTerms,
    /// Copies whatever it is asked for.
    ForeignOrigins,
    /// Ends when its own store does not answer.
    EndsWithItsStore,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stored {
    desire: LinkDesire,
    term: u64,
    failure: Option<String>,
}

#[derive(Debug)]
pub(crate) struct PlainLink {
    parts: LinkParts,
    logs: Vec<LogId>,
    flaw: Flaw,
    beat: Mutex<Option<Moment>>,
}

impl PlainLink {
    fn new(parts: LinkParts, flaw: Flaw) -> Result<Self, Error> {
        let foreign = parts.logs.iter().any(|log| log.origin() != &parts.source_region);
        if foreign && flaw != Flaw::ForeignOrigins {
            return Err(Error::refused("foreign-origin", "a log of another origin"));
        }
        let mut logs: BTreeSet<LogId> = parts.logs.iter().cloned().collect();
        for log in &parts.logs {
            logs.insert(LogId::heartbeats(log.scope(), log.origin())?);
        }
        Ok(Self { parts, logs: logs.into_iter().collect(), flaw, beat: Mutex::new(None) })
    }

    fn key(&self, what: &str) -> Result<Key, Error> {
        Key::new(format!("plain/{}/{what}", self.parts.id))
    }

    async fn stored(&self) -> Result<Stored, Error> {
        match self.parts.state.read(&self.key("state")?).await? {
            Some(entry) => serde_json::from_slice(&entry.value).map_err(|e| Error::corrupt("bad", e.to_string())),
            None => Ok(Stored { desire: LinkDesire::active(), term: 0, failure: None }),
        }
    }

    async fn put(&self, what: &str, value: impl Into<Bytes> + Send) -> Result<(), Failure> {
        let key = self.key(what).map_err(Failure::NotApplied)?;
        self.parts.state.commit(Transaction::new().put(key, value)).await.map(drop)
    }

    async fn store(&self, stored: &Stored) -> Result<(), Failure> {
        let value =
            serde_json::to_vec(stored).map_err(|e| Failure::NotApplied(Error::invalid("bad", e.to_string())))?;
        self.put("state", value).await
    }

    /// The end up to which a log may be copied.
    fn bound(&self, stored: &Stored, log: &LogId, source: &LogEnd) -> u64 {
        match stored.desire.state {
            LinkState::Active => source.prefix.count,
            LinkState::ReadOnlyStaging => {
                let named = stored.desire.until.as_ref().and_then(|cut| cut.get(log));
                named.map_or(0, |end| end.prefix.count.saturating_sub(u64::from(self.flaw == Flaw::SkipsTail)))
            }
            _ => 0,
        }
    }

    async fn work(&self, stop: CancellationToken) -> Result<(), Error> {
        if self.flaw == Flaw::ForgetsPause {
            let stored = self.stored().await?;
            if stored.desire.state == LinkState::Paused {
                let going = Stored { desire: LinkDesire::active(), ..stored };
                self.store(&going).await.map_err(definite)?;
            }
        }
        let mut writer = None;
        while !stop.is_cancelled() {
            match self.round(&mut writer).await {
                Err(error) if error.kind() == ErrorKind::Fenced && self.flaw == Flaw::FencesBack => writer = None,
                Err(error) if error.kind() == ErrorKind::Retry && self.waits(&error) => {}
                Err(error) => return Err(error),
                Ok(()) => {}
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = self.parts.clock.sleep(Duration::from_millis(10)) => {}
            }
        }
        Ok(())
    }

    async fn open(&self) -> Result<Box<dyn EventWriter>, Error> {
        let role = WriterRole::Mirror(self.parts.id.clone());
        self.parts.local.open_writer(&self.logs, role).await.map_err(definite)
    }

    fn waits(&self, error: &Error) -> bool {
        self.flaw != Flaw::EndsWithItsStore || error.code() != "silent"
    }

    async fn round(&self, writer: &mut Option<Box<dyn EventWriter>>) -> Result<(), Error> {
        let writer: &dyn EventWriter = match writer {
            Some(writer) => &**writer,
            None => &**writer.insert(self.open().await?),
        };
        for log in &self.logs {
            loop {
                let stored = self.stored().await?;
                if stored.failure.is_some() {
                    return Ok(());
                }
                let source = self.parts.source.end(log).await?;
                let applied = self.parts.local.end(log).await?.prefix;
                let from = self.position(log).await?;
                if let Some(failure) = self.diverged(log, &source, applied, from).await? {
                    let failed = Stored { failure: Some(failure), ..stored };
                    self.store(&failed).await.map_err(definite)?;
                    return Ok(());
                }
                if applied.count >= self.bound(&stored, log, &source) || !self.copy(writer, log, applied, from).await? {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn diverged(
        &self,
        log: &LogId,
        source: &LogEnd,
        applied: PrefixDigest,
        from: Option<Position>,
    ) -> Result<Option<String>, Error> {
        if self.flaw == Flaw::ComparesNothing || applied.count == 0 {
            return Ok(None);
        }
        let reborn = from.is_some_and(|from| from.incarnation() != source.incarnation);
        let there = self.parts.source.prefix(log, applied.count).await?;
        let same = there == Some(applied);
        let told = there.unwrap_or(source.prefix);
        Ok((reborn || !same).then(|| format!("{log}: source {}, mirror {}", told.digest, applied.digest)))
    }

    fn cursor_name(&self, log: &LogId) -> Result<CursorName, Error> {
        CursorName::new(format!("plain.{}.{}.{}", log.scope(), log.origin(), log.partition()))
    }

    async fn position(&self, log: &LogId) -> Result<Option<Position>, Error> {
        let name = self.cursor_name(log)?;
        let value = if self.flaw == Flaw::CursorApart {
            self.parts.state.read(&self.key(name.as_str())?).await?.map(|entry| entry.value)
        } else {
            self.parts.local.cursor(&name).await?
        };
        value.map(|value| postcard::from_bytes(&value).map_err(|e| Error::corrupt("bad", e.to_string()))).transpose()
    }

    /// Copies one record; answers whether there was one.
    async fn copy(
        &self,
        writer: &dyn EventWriter,
        log: &LogId,
        after: PrefixDigest,
        from: Option<Position>,
    ) -> Result<bool, Error> {
        let Some(Placed { position, mut record }) = self.read(log, after.count, from).await? else { return Ok(false) };
        if self.flaw == Flaw::DropsHeaders && !log.is_companion() {
            record.headers.clear();
        }
        let heartbeat = Heartbeat::of_record(&record).ok();
        let written_at = record.headers.first().and_then(|(_, at)| postcard::from_bytes::<Moment>(at).ok());
        let value = Bytes::from(postcard::to_stdvec(&position).map_err(|e| Error::corrupt("bad", e.to_string()))?);
        let name = self.cursor_name(log)?;
        let mut batch = CopyBatch::new(log.clone(), after, vec![record]);
        if self.flaw != Flaw::CursorApart {
            batch = batch.with_cursor(Cursor { name: name.clone(), value: value.clone() });
        }
        writer.copy(batch).await.map_err(definite)?;
        if self.flaw == Flaw::CursorApart {
            self.put(name.as_str(), value).await.map_err(definite)?;
        }
        if heartbeat.is_some() {
            let arrived = self.parts.clock.now();
            let at = if self.flaw == Flaw::SourceClock { written_at.unwrap_or(arrived) } else { arrived };
            *self.beat.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
        }
        Ok(true)
    }

    async fn read(&self, log: &LogId, count: u64, from: Option<Position>) -> Result<Option<Placed>, Error> {
        let by_count = self.flaw == Flaw::ComparesNothing;
        let from = from.filter(|_| !by_count).map_or(ReadFrom::Start, ReadFrom::After);
        let mut reader = self.parts.source.open_reader(log, from).await?;
        if by_count && count > 0 {
            let skipped = reader.next(usize::try_from(count).unwrap_or(usize::MAX), Duration::ZERO).await?;
            if (skipped.len() as u64) < count {
                return Ok(None);
            }
        }
        Ok(reader.next(1, Duration::ZERO).await?.pop())
    }
}

/// Each round reads where things stand, so that an unknown outcome needs no more than another one.
fn definite(failure: Failure) -> Error {
    match failure {
        Failure::NotApplied(error) => error,
        Failure::InDoubt(doubt) => Error::retry("in-doubt", doubt.to_string()),
    }
}

#[async_trait]
impl MirrorLink for PlainLink {
    fn id(&self) -> &LinkId {
        &self.parts.id
    }

    fn source(&self) -> &RegionId {
        &self.parts.source_region
    }

    async fn status(&self) -> Result<LinkStatus, Error> {
        let stored = self.stored().await?;
        let failed = stored.failure.is_some();
        let mut status = LinkStatus::new(if failed { LinkState::Failed } else { stored.desire.state });
        let mut logs = BTreeMap::new();
        status.reached = stored.desire.until.is_some();
        for log in &self.logs {
            let applied = self.parts.local.end(log).await?.prefix;
            if let Some(end) = stored.desire.until.as_ref().and_then(|cut| cut.get(log)) {
                status.reached &= applied.count >= self.bound(&stored, log, end);
            }
            logs.insert(log.clone(), LogProgress { applied, source_count: applied.count });
        }
        status.logs = logs;
        let beat = *self.beat.lock().unwrap_or_else(PoisonError::into_inner);
        status.heartbeat_age = beat.map(|at| self.parts.clock.now().since(at));
        status.failure = stored.failure;
        Ok(status)
    }

    // It keeps no account of the source: what it last knew of it is what it copied.
    async fn exposure(&self) -> Result<BTreeMap<LogId, Exposure>, Error> {
        let status = self.status().await?;
        let declared_seconds = status.heartbeat_age.map(|age| age.as_secs_f64());
        let exposed = |progress: LogProgress| Exposure {
            declared_seconds,
            declared_records: progress.source_count.saturating_sub(progress.applied.count),
        };
        Ok(status.logs.into_iter().map(|(log, progress)| (log, exposed(progress))).collect())
    }

    async fn set_desire(&self, operation: &Operation, desire: LinkDesire) -> Result<(), Failure> {
        let stored = self.stored().await.map_err(Failure::NotApplied)?;
        let term = operation.term().revision;
        if term < stored.term && self.flaw != Flaw::ForgetsTerms {
            return Err(Failure::NotApplied(Error::fenced("stale-term", "a lower term")));
        }
        self.store(&Stored { desire, term, ..stored }).await
    }
}

/// Which flaw a fixture plants.
pub(crate) trait Planted: Send + Sync + 'static {
    const FLAW: Flaw;
}

pub(crate) struct PlainFixture<P>(PhantomData<P>);

#[async_trait]
impl<P: Planted> MirrorLinkFixture for PlainFixture<P> {
    fn start(parts: LinkParts, stop: CancellationToken) -> Result<StartedLink, Error> {
        let link = Arc::new(PlainLink::new(parts, P::FLAW)?);
        let running = Arc::clone(&link);
        Ok(StartedLink { link, worker: Box::pin(async move { running.work(stop).await }) })
    }

    async fn beat(source: Arc<dyn EventStore>, owned: BTreeSet<LogId>, source_now: Moment) -> Result<(), Failure> {
        let Some(log) = owned.first() else { return Ok(()) };
        let companion = LogId::heartbeats(log.scope(), log.origin()).map_err(Failure::NotApplied)?;
        let sequence = source.end(&companion).await.map_err(Failure::NotApplied)?.prefix.count + 1;
        let at =
            postcard::to_stdvec(&source_now).map_err(|e| Failure::NotApplied(Error::invalid("bad", e.to_string())))?;
        let heartbeat = Heartbeat { sequence, mark: Digest::ZERO, ends: BTreeMap::new() };
        let event = heartbeat.to_event(&companion).map_err(Failure::NotApplied)?.with_header("at", Bytes::from(at));
        let writer = source.open_writer(std::slice::from_ref(&companion), WriterRole::Companion).await?;
        writer.append(OwnerBatch::new(companion, vec![event])).await.map(drop)
    }
}
