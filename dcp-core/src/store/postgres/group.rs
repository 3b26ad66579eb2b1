//! One transaction for what waits at one log: decided by the decisions that all stores share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::columns::Columns;
use super::rows::{self, LogRow, fence_text};
use super::same_store;
use super::server::{Server, Session, Value};
use super::tail::{Memory, Tail};
use crate::error::{Error, Failure};
use crate::event::{EventId, StreamId, Version};
use crate::fence::Fence;
use crate::log::LogId;
use crate::ports::event_store::{Appended, Cursor, Sighting, WriterRole};
use crate::position::{LogIncarnation, PrefixDigest};
use crate::store::admission::{RoleKind, epoch_of, judge_grant};
use crate::store::append::{Decision, Held, Planned, decide_append, decide_copy};
use crate::store::lanes::{ids_of, streams_of};
use crate::store::work::{Done, Work};

/// One caller's batch, under the session and role that it was given.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) session: Uuid,
    pub(super) role: Arc<WriterRole>,
    pub(super) work: Work,
}

impl AsRef<Work> for Asked {
    fn as_ref(&self) -> &Work {
        &self.work
    }
}

/// Writes a group of one log's batches in one transaction; one answer each, in order. An error is
/// that of all of them.
///
/// Behind the tail that is remembered the group is written by one statement, which writes nothing if
/// anything has changed since. Then, and without a tail, the log is locked, read, compared with what is known to
/// be committed, and written.
pub(super) async fn write(
    server: &Server,
    log: &LogId,
    incarnation: LogIncarnation,
    group: Vec<Asked>,
    memory: &mut Memory,
) -> Result<Vec<Result<Done, Error>>, Failure> {
    // Boxed: the transactions are large, and their caller is a task that holds them throughout.
    if let Some(known) = memory.tail.take() {
        let laid = Laid::behind(known, incarnation);
        let written = server.write(async |session| Box::pin(at_once(server, session, laid, &group)).await);
        if let Some((answers, left)) = written.await? {
            memory.remember(left);
            return Ok(answers.into_iter().map(Ok).collect());
        }
    }
    let known = memory.known;
    let written =
        server.write(async |session| Box::pin(transaction(server, session, log, incarnation, known, group)).await);
    let (answers, left) = written.await?;
    memory.remember(left);
    Ok(answers)
}

// Nothing is locked while this decides: only that the log is unchanged makes the decisions good, and the
// statement that writes looks for that.
async fn at_once(
    server: &Server,
    session: &Session,
    mut laid: Laid,
    group: &[Asked],
) -> Result<Option<(Vec<Done>, Tail)>, Failure> {
    let mut streams = streams_of(group);
    streams.retain(|stream| !laid.versions.contains_key(stream));
    if !streams.is_empty() {
        laid.load_versions(server, session, &streams).await.map_err(Failure::NotApplied)?;
    }
    // A refusal has to be of what is there, and not of what was there.
    let Ok(answers) = group.iter().map(|asked| laid.lay(asked.clone())).collect::<Result<Vec<_>, _>>() else {
        return Ok(None);
    };
    if laid.records.is_empty() || !laid.commit_at_once(server, session, &uuids_of(group)).await? {
        return Ok(None);
    }
    Ok(Some((answers, laid.into_tail().map_err(Failure::NotApplied)?)))
}

async fn transaction(
    server: &Server,
    session: &Session,
    log: &LogId,
    incarnation: LogIncarnation,
    known: PrefixDigest,
    group: Vec<Asked>,
) -> Result<(Vec<Result<Done, Error>>, Tail), Failure> {
    let mut laid = Laid::load(server, session, log, incarnation, known, &group).await.map_err(Failure::NotApplied)?;
    let answers = group.into_iter().map(|asked| laid.lay(asked)).collect();
    if laid.wrote {
        laid.commit(server, session).await?;
    } else {
        // Nothing to keep: the locks are let go, and nothing was changed.
        session.plain("ROLLBACK").await.map_err(Failure::NotApplied)?;
    }
    Ok((answers, laid.into_tail().map_err(Failure::NotApplied)?))
}

fn uuids_of(group: &[Asked]) -> Vec<Uuid> {
    ids_of(group).map(|id| rows::uuid(&id)).collect()
}

/// A log's state while a group is laid behind it.
struct Laid {
    /// As it was before, with the prefix as it will be.
    row: LogRow,
    before: PrefixDigest,
    fence: Fence,
    incarnation: LogIncarnation,
    versions: BTreeMap<StreamId, Version>,
    sightings: BTreeMap<EventId, Vec<Sighting>>,
    records: Vec<Planned>,
    cursors: BTreeMap<String, Bytes>,
    wrote: bool,
}

impl Laid {
    fn behind(tail: Tail, incarnation: LogIncarnation) -> Self {
        Self {
            before: tail.row.prefix,
            fence: tail.row.fence.clone(),
            row: tail.row,
            incarnation,
            versions: tail.versions,
            sightings: BTreeMap::new(),
            records: Vec::new(),
            cursors: BTreeMap::new(),
            wrote: false,
        }
    }

    // The locks come first and in their own statement: what the next ones read is then final.
    async fn load(
        server: &Server,
        session: &Session,
        log: &LogId,
        incarnation: LogIncarnation,
        known: PrefixDigest,
        group: &[Asked],
    ) -> Result<Self, Error> {
        let texts = &server.statements;
        let lock = session.prepared(&texts.lock_partition).await?;
        let (scope, partition) = (log.scope().as_str(), i64::from(log.partition()));
        let named: [Value<'_>; 2] = [&scope, &partition];
        let (begun, locked) = tokio::join!(biased; session.begin(), session.rows(&lock, &named));
        begun?;
        let logs = locked?.iter().map(LogRow::read).collect::<Result<Vec<_>, _>>()?;
        let Some(row) = logs.iter().find(|row| &row.log == log).cloned() else {
            same_store::check_store(&session.ask(&texts.incarnation, &[]).await?, incarnation)?;
            return Err(super::fault::damaged(format!("{log} has no row")));
        };
        let held = session.prepared(&texts.sightings).await?;
        let ids = uuids_of(group);
        let numbers: Vec<i32> = logs.iter().map(|row| row.number).collect();
        let values: [Value<'_>; 2] = [&ids, &numbers];
        let look_up = async { if ids.is_empty() { Ok(Vec::new()) } else { session.rows(&held, &values).await } };
        let now = row.prefix;
        let mut laid = Self::behind(Tail { row, versions: BTreeMap::new() }, incarnation);
        let streams = streams_of(group);
        let history = async {
            same_store::check_store(&session.ask(&texts.incarnation, &[]).await?, incarnation)?;
            same_store::check_history(server, session, log, known, now).await
        };
        let (versions, held, checked) =
            tokio::join!(biased; laid.load_versions(server, session, &streams), look_up, history);
        checked?;
        versions?;
        for found in held? {
            let number: i32 = found.get(0);
            let of = logs.iter().find(|row| row.number == number).map_or(log, |row| &row.log);
            laid.note(rows::sighting(&found, of, incarnation)?);
        }
        Ok(laid)
    }

    async fn load_versions(
        &mut self,
        server: &Server,
        session: &Session,
        streams: &BTreeSet<StreamId>,
    ) -> Result<(), Error> {
        let names: Vec<&[u8]> = streams.iter().map(|stream| stream.as_str().as_bytes()).collect();
        for found in session.ask(&server.statements.versions, &[&self.row.number, &names]).await? {
            let stream = std::str::from_utf8(found.get(0)).map_err(super::fault::damaged)?;
            let version = match found.get::<_, Option<i64>>(1) {
                Some(version) => Version::new(rows::unsigned(version, &self.row.log)?),
                None => Version::NONE,
            };
            self.versions.insert(StreamId::new(stream), version);
        }
        Ok(())
    }

    // The log as it is once this is committed.
    fn into_tail(self) -> Result<Tail, Error> {
        let fence_text = self.stored_fence()?;
        let row = LogRow { fence: self.fence, fence_text, ..self.row };
        Ok(Tail::new(row, self.versions))
    }

    // What is there already is kept letter by letter, since the next statement compares it.
    fn stored_fence(&self) -> Result<String, Error> {
        if self.fence == self.row.fence { Ok(self.row.fence_text.clone()) } else { fence_text(&self.fence) }
    }

    fn note(&mut self, sighting: Sighting) {
        self.sightings.entry(sighting.id).or_default().push(sighting);
    }

    fn lay(&mut self, asked: Asked) -> Result<Done, Error> {
        self.admit(&asked)?;
        match asked.work {
            Work::Append(batch) => {
                let streams = batch.events.iter().map(|event| &event.stream);
                let held = self.held(streams, batch.events.iter().map(|event| event.id).collect());
                let decision = decide_append(held, epoch_of(&asked.role), batch.events)?;
                let acks = decision.acks.clone();
                let prefix = self.take(decision, batch.cursor);
                Ok(Done::Appended(Appended { acks, prefix }))
            }
            Work::Copy(batch) => {
                let held = self.held(batch.records.iter().map(|record| &record.stream), BTreeSet::new());
                let decision = decide_copy(held, batch.after, batch.records)?;
                Ok(Done::Copied(self.take(decision, batch.cursor)))
            }
        }
    }

    // What bears on one batch alone.
    fn held<'a>(&self, streams: impl Iterator<Item = &'a StreamId>, ids: BTreeSet<EventId>) -> Held {
        let version = |stream: &StreamId| self.versions.get(stream).map(|version| (stream.clone(), *version));
        Held {
            log: self.row.log.clone(),
            incarnation: self.incarnation,
            prefix: self.row.prefix,
            versions: streams.filter_map(version).collect(),
            sightings: ids.iter().filter_map(|id| self.sightings.get(id)).flatten().cloned().collect(),
        }
    }

    // The fence first: a deposed owner is told so, whoever has opened since.
    fn admit(&mut self, asked: &Asked) -> Result<(), Error> {
        let raised = match &*asked.role {
            WriterRole::Owner(grant) => judge_grant(&self.fence, &self.row.log, grant)?,
            WriterRole::Mirror(_) | WriterRole::Companion => None,
        };
        if self.row.session(RoleKind::of(&asked.role)) != Some(asked.session) {
            return Err(Error::fenced(
                "newer-writer",
                format!("{}: another writer was opened in the same role; open again to write", self.row.log),
            ));
        }
        if let Some(raised) = raised {
            self.fence = raised;
            self.wrote = true;
        }
        Ok(())
    }

    fn take(&mut self, decision: Decision, cursor: Option<Cursor>) -> PrefixDigest {
        self.wrote |= !decision.records.is_empty() || cursor.is_some();
        self.row.prefix = decision.prefix;
        self.versions.extend(decision.versions);
        for planned in &decision.records {
            self.note(planned.sighting(&self.row.log));
        }
        self.records.extend(decision.records);
        self.cursors.extend(cursor.map(|cursor| (cursor.name.as_str().to_owned(), cursor.value)));
        decision.prefix
    }

    async fn commit(&self, server: &Server, session: &Session) -> Result<(), Failure> {
        let prepared = async {
            let statement = session.prepared(&server.statements.write_locked).await?;
            let count = rows::signed(self.row.prefix.count)?;
            Ok::<_, Error>((statement, Columns::of(&self.records)?, self.stored_fence()?, count))
        };
        let (statement, columns, fence, count) = prepared.await.map_err(Failure::NotApplied)?;
        let names: Vec<&str> = self.cursors.keys().map(String::as_str).collect();
        let cursors: Vec<&[u8]> = self.cursors.values().map(Bytes::as_ref).collect();
        let digest = self.row.prefix.digest.as_bytes().as_slice();
        let mut values = columns.values(&self.row.number).to_vec();
        let changes: [Value<'_>; 5] = [&count, &digest, &fence, &names, &cursors];
        values.extend(changes);
        session.commit_with(async { session.run(&statement, &values).await.map(drop) }).await
    }

    /// Writes by one statement, unless the log has changed or holds one of these ids; says whether.
    async fn commit_at_once(&self, server: &Server, session: &Session, ids: &[Uuid]) -> Result<bool, Failure> {
        let one = self.cursors.is_empty() && self.records.len() == 1;
        let prepared = async {
            let (before, after) = (rows::signed(self.before.count)?, rows::signed(self.row.prefix.count)?);
            let texts = &server.statements;
            let text = match (one, self.cursors.is_empty()) {
                (true, _) => &texts.write_one_at_once,
                (false, true) => &texts.write_at_once,
                (false, false) => &texts.write_with_cursors,
            };
            let statement = session.prepared(text).await?;
            Ok::<_, Error>((statement, Columns::of(&self.records)?, self.stored_fence()?, before, after))
        };
        let (statement, columns, fence, before, after) = prepared.await.map_err(Failure::NotApplied)?;
        let [owner, mirror, companion] = &self.row.sessions;
        let (was, is) = (self.before.digest.as_bytes().as_slice(), self.row.prefix.digest.as_bytes().as_slice());
        let names: Vec<&str> = self.cursors.keys().map(String::as_str).collect();
        let cursors: Vec<&[u8]> = self.cursors.values().map(Bytes::as_ref).collect();
        let number = &self.row.number;
        let first = if one { columns.first(number) } else { None };
        let mut values = first.unwrap_or_else(|| columns.values(number)).to_vec();
        let state: [Value<'_>; 7] = [&before, &was, &self.row.fence_text, owner, mirror, companion, &ids];
        let changes: [Value<'_>; 3] = [&after, &is, &fence];
        values.extend(state.into_iter().chain(changes));
        if !names.is_empty() {
            let kept: [Value<'_>; 2] = [&names, &cursors];
            values.extend(kept);
        }
        Ok(session.whole(&statement, &values).await? > 0)
    }
}
