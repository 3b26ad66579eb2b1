//! One append: its transaction, and how an unknown outcome of the commit is resolved.

use std::time::Duration;

use super::OPEN_RUNS_MAX;
use super::book::{Book, Head, entry_key, head_key};
use super::room::judge_room;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Failure};
use crate::ids::RunId;
use crate::ports::{Key, Revision, StateStore, Transaction};
use crate::runbook::chain::{self, Anchor};
use crate::runbook::entry::{JournalEntry, Record};
use crate::runbook::lease::DriverLease;
use crate::runbook::run::RunState;

const TRIES: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// An append that is ready to be committed.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) head: Head,
    pub(super) run: Option<(RunId, RunState)>,
    transaction: Transaction,
    key: Key,
    line: String,
}

/// Decides what an append writes. Pure.
pub(super) fn prepare(book: &Book, record: Record, lease: &DriverLease) -> Result<Prepared, Error> {
    let of_run = record.entry.run().and_then(|run| book.runs().get(run));
    judge_room(book.end().sequence, &record.entry, of_run.map(|run| run.plan().kind()))?;
    if matches!(record.entry, JournalEntry::RunOpened { .. }) && book.runs().open().len() >= OPEN_RUNS_MAX {
        return Err(Error::refused("too-many-runs", format!("{OPEN_RUNS_MAX} runs are open; end some first")));
    }
    let run = book.runs().after(&record.entry)?;
    let line = chain::link(&book.end(), &record, &lease.signer)?;
    let head = Head { end: Anchor { sequence: line.sequence, head: line.hash }, seat: Some(lease.seat.clone()) };
    let written = serde_json::to_vec(&head)
        .map_err(|cause| Error::invalid("unwritable-entry", format!("journal head: {cause}")))?;
    let key = entry_key(line.sequence)?;
    let line = line.to_json();
    let transaction = match book.revision() {
        None => Transaction::new().absent(head_key()?),
        Some(revision) => Transaction::new().at(head_key()?, revision),
    };
    let transaction = transaction.absent(key.clone()).put(key.clone(), line.clone()).put(head_key()?, written);
    Ok(Prepared { head, run, transaction, key, line })
}

/// Commits; after an unknown outcome it reads the entry's key and repeats the same transaction,
/// which takes effect at most once because it is conditional on the head as it was.
pub(super) async fn commit(
    store: &dyn StateStore,
    clock: &dyn Clock,
    prepared: &Prepared,
) -> Result<Revision, Failure> {
    let mut doubt = None;
    let mut last = Error::retry("journal-unreachable", "the journal's store did not answer");
    for attempt in 0..TRIES {
        if attempt > 0 {
            clock.sleep(FIRST_PAUSE * 2_u32.pow(attempt - 1)).await;
        }
        let failure = match store.commit(prepared.transaction.clone()).await {
            Ok(revision) => return Ok(revision),
            Err(failure) => failure,
        };
        match failure {
            Failure::InDoubt(cause) => doubt = Some(cause),
            Failure::NotApplied(error) if error.kind() == ErrorKind::Retry => last = error,
            Failure::NotApplied(error) if error.kind() != ErrorKind::Conflict => {
                return Err(doubt.map_or(Failure::NotApplied(error), Failure::InDoubt));
            }
            Failure::NotApplied(error) if doubt.is_none() => return Err(Failure::NotApplied(error)),
            // The head has moved: by this very append, or by another's. The entry's key tells.
            Failure::NotApplied(error) => {
                return match store.read(&prepared.key).await {
                    Ok(Some(entry)) if entry.value == prepared.line.as_bytes() => Ok(entry.revision),
                    Ok(_) => Err(Failure::NotApplied(error)),
                    Err(cause) => Err(Failure::in_doubt("journal-unreachable", cause.to_string())),
                };
            }
        }
        if doubt.is_some() {
            match store.read(&prepared.key).await {
                Ok(Some(entry)) if entry.value == prepared.line.as_bytes() => return Ok(entry.revision),
                Ok(_) => {}
                Err(error) => last = error,
            }
        }
    }
    Err(doubt.map_or(Failure::NotApplied(last), Failure::InDoubt))
}
