//! How requests change the file: each is decided inside the group's write transaction, by the pure
//! decisions that all event stores share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use redb::{ReadableTable as _, WriteTransaction};

use super::tables::{EventTables, LogRow};
use super::{chunk, ids, lookup};
use crate::embedded::{Applied, Fault, Ledger};
use crate::error::Error;
use crate::event::{EventId, StreamId, Version};
use crate::ids::RegionId;
use crate::log::LogId;
use crate::ownership::WriteGrant;
use crate::ports::event_store::{Appended, CopyBatch, Cursor, OwnerBatch, Sighting, WriterRole};
use crate::position::{Cut, LogIncarnation, PrefixDigest};
use crate::store::admission::{RoleKind, check_role, epoch_of, judge_grant};
use crate::store::append::{Decision, Held, decide_append, decide_copy};
use crate::store::wakers::Wakers;

/// Which opening of a writer this is, over all openings in the life of one open store. Handles do
/// not outlive the store that gave them, so that the number need not be durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Session(u64);

/// What callers ask of the thread.
#[derive(Debug)]
pub(crate) enum Request {
    Open { logs: Vec<LogId>, role: WriterRole },
    Seal { logs: Vec<LogId>, grant: WriteGrant },
    Append { session: Session, role: Arc<WriterRole>, batch: OwnerBatch },
    Copy { session: Session, batch: CopyBatch },
}

/// What it answers, request by request.
#[derive(Debug)]
pub(crate) enum Answer {
    Opened(Session),
    Sealed(Cut),
    Appended(Appended),
    Copied(PrefixDigest),
}

/// Owned by the thread.
#[derive(Debug)]
pub(crate) struct EventLedger {
    region: RegionId,
    incarnation: LogIncarnation,
    wakers: Arc<Wakers>,
    sessions: BTreeMap<(LogId, RoleKind), Session>,
    last_session: u64,
    /// Logs that grew in this group.
    grown: BTreeSet<LogId>,
}

impl EventLedger {
    pub(crate) fn new(region: RegionId, incarnation: LogIncarnation, wakers: Arc<Wakers>) -> Self {
        let (sessions, grown) = (BTreeMap::new(), BTreeSet::new());
        Self { region, incarnation, wakers, sessions, last_session: 0, grown }
    }

    fn open_writer(
        &mut self,
        tables: &mut EventTables<'_>,
        logs: &[LogId],
        role: &WriterRole,
    ) -> Result<Applied<Answer>, Fault> {
        if let Err(refusal) = check_role(&self.region, logs, role) {
            return Ok(Applied::unwritten(Err(refusal)));
        }
        let mut wrote = false;
        if let WriterRole::Owner(grant) = role {
            match raise_fences(tables, logs, grant)? {
                Ok(raised) => wrote = raised,
                Err(refusal) => return Ok(Applied::unwritten(Err(refusal))),
            }
        }
        self.last_session += 1;
        let session = Session(self.last_session);
        for log in logs {
            self.sessions.insert((log.clone(), RoleKind::of(role)), session);
        }
        Ok(Applied { answer: Ok(Answer::Opened(session)), wrote })
    }

    fn seal(&self, tables: &mut EventTables<'_>, logs: &[LogId], grant: &WriteGrant) -> Result<Applied<Answer>, Fault> {
        let raised = match raise_fences(tables, logs, grant)? {
            Ok(raised) => raised,
            Err(refusal) => return Ok(Applied::unwritten(Err(refusal))),
        };
        let mut cut = Cut::new();
        for log in logs {
            let row = lookup::row(&tables.logs, log)?;
            cut.insert(log.clone(), LogRow::end_of(row.as_ref(), self.incarnation));
        }
        Ok(Applied { answer: Ok(Answer::Sealed(cut)), wrote: raised })
    }

    fn append(
        &mut self,
        tables: &mut EventTables<'_>,
        session: Session,
        role: &WriterRole,
        batch: OwnerBatch,
    ) -> Result<Applied<Answer>, Fault> {
        let mut row = tables.row_or_new(&batch.log)?;
        let admitted = match role {
            WriterRole::Owner(grant) => judge_grant(&row.fence, &batch.log, grant),
            WriterRole::Mirror(_) | WriterRole::Companion => Ok(None),
        };
        match admitted.and_then(|raised| self.check_session(&batch.log, RoleKind::of(role), session).map(|()| raised)) {
            Ok(None) => {}
            Ok(Some(raised)) => row.fence = raised,
            Err(refusal) => return Ok(Applied::unwritten(Err(refusal))),
        }
        let streams = batch.events.iter().map(|event| &event.stream);
        let mut held = self.held(tables, &batch.log, &row, streams)?;
        let wanted: BTreeSet<EventId> = batch.events.iter().map(|event| event.id).collect();
        held.sightings = self.sightings(tables, &batch.log, &wanted)?;
        let decision = match decide_append(held, epoch_of(role), batch.events) {
            Ok(decision) => decision,
            Err(refusal) => return Ok(Applied::unwritten(Err(refusal))),
        };
        let appended = Appended { acks: decision.acks.clone(), prefix: decision.prefix };
        self.write(tables, &batch.log, row, &decision, batch.cursor.as_ref())
            .map(|written| written.map(|()| Answer::Appended(appended)))
    }

    fn copy(
        &mut self,
        tables: &mut EventTables<'_>,
        session: Session,
        batch: CopyBatch,
    ) -> Result<Applied<Answer>, Fault> {
        let row = tables.row_or_new(&batch.log)?;
        if let Err(refusal) = self.check_session(&batch.log, RoleKind::Mirror, session) {
            return Ok(Applied::unwritten(Err(refusal)));
        }
        let streams = batch.records.iter().map(|record| &record.stream);
        let held = self.held(tables, &batch.log, &row, streams)?;
        let decision = match decide_copy(held, batch.after, batch.records) {
            Ok(decision) => decision,
            Err(refusal) => return Ok(Applied::unwritten(Err(refusal))),
        };
        self.write(tables, &batch.log, row, &decision, batch.cursor.as_ref())
            .map(|written| written.map(|()| Answer::Copied(decision.prefix)))
    }

    fn check_session(&self, log: &LogId, kind: RoleKind, session: Session) -> Result<(), Error> {
        match self.sessions.get(&(log.clone(), kind)) {
            Some(current) if *current == session => Ok(()),
            Some(_) => Err(Error::fenced("other-writer", format!("{log}: another writer was opened since"))),
            None => Err(Error::refused("log-not-opened", format!("{log}: this writer was not opened on it"))),
        }
    }

    fn held<'a>(
        &self,
        tables: &EventTables<'_>,
        log: &LogId,
        row: &LogRow,
        streams: impl Iterator<Item = &'a StreamId>,
    ) -> Result<Held, Fault> {
        let mut versions = BTreeMap::new();
        for stream in streams {
            if versions.contains_key(stream) {
                continue;
            }
            let version = tables.versions.get((row.number, stream.as_str()))?.map_or(0, |version| version.value());
            versions.insert(stream.clone(), Version::new(version));
        }
        let (log, incarnation, prefix) = (log.clone(), self.incarnation, row.prefix);
        Ok(Held { log, incarnation, prefix, versions, sightings: Vec::new() })
    }

    fn sightings(
        &self,
        tables: &EventTables<'_>,
        log: &LogId,
        wanted: &BTreeSet<EventId>,
    ) -> Result<Vec<Sighting>, Fault> {
        let mut found = Vec::new();
        for (sibling, row) in lookup::partition_logs(&tables.logs, log.scope(), log.partition())? {
            let held = (&sibling, &row);
            found.extend(lookup::sightings(&tables.runs, &tables.chunks, held, self.incarnation, wanted)?);
        }
        Ok(found)
    }

    fn write(
        &mut self,
        tables: &mut EventTables<'_>,
        log: &LogId,
        mut row: LogRow,
        decision: &Decision,
        cursor: Option<&Cursor>,
    ) -> Result<Applied<()>, Fault> {
        if decision.records.is_empty() && cursor.is_none() {
            return Ok(Applied::unwritten(Ok(())));
        }
        if decision.prefix.count > ids::LOG_MAX_RECORDS {
            let full = format!("{log}: a log of this store holds at most {} records", ids::LOG_MAX_RECORDS);
            return Ok(Applied::unwritten(Err(Error::refused("log-full", full))));
        }
        if let Some(cursor) = cursor {
            tables.cursors.insert(cursor.name.as_str(), cursor.value.as_ref())?;
        }
        if decision.records.is_empty() {
            return Ok(Applied::written(()));
        }
        for packed in chunk::pack(row.prefix, &decision.records)? {
            tables.chunks.insert((row.number, packed.first), packed.bytes.as_slice())?;
        }
        for (stream, version) in &decision.versions {
            tables.versions.insert((row.number, stream.as_str()), version.get())?;
        }
        let mut added = Vec::with_capacity(decision.records.len());
        for planned in &decision.records {
            let ordinal = u32::try_from(planned.position.rank()).map_err(|_| Fault::damaged("a record's ordinal"))?;
            added.push(ids::entry(&planned.record.id, ordinal));
        }
        ids::add(&mut tables.runs, &mut row, added)?;
        row.prefix = decision.prefix;
        tables.put_row(log, &row)?;
        self.grown.insert(log.clone());
        Ok(Applied::written(()))
    }
}

/// Raises the fences of all logs or of none; answers whether one was raised.
fn raise_fences(
    tables: &mut EventTables<'_>,
    logs: &[LogId],
    grant: &WriteGrant,
) -> Result<Result<bool, Error>, Fault> {
    let mut raised = Vec::new();
    for log in logs {
        let fence = lookup::row(&tables.logs, log)?.map(|row| row.fence).unwrap_or_default();
        match judge_grant(&fence, log, grant) {
            Ok(Some(fence)) => raised.push((log, fence)),
            Ok(None) => {}
            Err(refusal) => return Ok(Err(refusal)),
        }
    }
    for (log, fence) in &raised {
        // Read again: a row that was written just now has taken its number.
        let mut row = tables.row_or_new(log)?;
        row.fence = fence.clone();
        tables.put_row(log, &row)?;
    }
    Ok(Ok(!raised.is_empty()))
}

impl Ledger for EventLedger {
    type Request = Request;
    type Answer = Answer;
    type Tables<'txn> = EventTables<'txn>;

    fn open<'txn>(&self, transaction: &'txn WriteTransaction) -> Result<EventTables<'txn>, Fault> {
        EventTables::open(transaction)
    }

    fn apply(&mut self, tables: &mut EventTables<'_>, request: Request) -> Result<Applied<Answer>, Fault> {
        match request {
            Request::Open { logs, role } => self.open_writer(tables, &logs, &role),
            Request::Seal { logs, grant } => self.seal(tables, &logs, &grant),
            Request::Append { session, role, batch } => self.append(tables, session, &role, batch),
            Request::Copy { session, batch } => self.copy(tables, session, batch),
        }
    }

    fn seal_group(&mut self, tables: &mut EventTables<'_>) -> Result<(), Fault> {
        tables.raise_commit_sequence()
    }

    fn committed(&mut self) {
        for log in std::mem::take(&mut self.grown) {
            self.wakers.wake(&log);
        }
    }
}

impl Drop for EventLedger {
    // The thread has ended: nothing will arrive any more.
    fn drop(&mut self) {
        self.wakers.end();
    }
}
