//! The journal: a hash chain of entries over a state store.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::chain::{self, Anchor};
use super::entry::{JournalEntry, Record};
use super::export::ExportLine;
use super::lease::{self, DriverLease, Seat};
use super::run::RunState;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Failure};
use crate::fence::Term;
use crate::ids::RunId;
use crate::ports::StateStore;
use crate::signed::Signer;

mod append;
mod book;
mod room;

use book::Book;

/// Most entries of one journal; then it refuses to grow.
pub const ENTRIES_MAX: u64 = 100_000;
/// How many of them are kept for drivers and for plans of the kind [`TAKEOVER`](super::TAKEOVER):
/// everything else is refused before.
pub const TAKEOVER_RESERVE: u64 = 10_000;
/// Most runs that may be open at a time.
pub const OPEN_RUNS_MAX: usize = 64;

// How often a driver that lost a race for the head tries again to take the lease.
const TAKE_TRIES: usize = 8;

/// What became of every run: entries in a hash chain, one key of a [`StateStore`] each.
///
/// The head (sequence, hash, driver) is changed in the transaction that writes an entry and only
/// if it is as it was read, so that two drivers cannot both append. Give the journal a store of
/// which a replica survives the machine: it is never only on one disk where a plane has replicas.
///
/// # Contract
/// - **J1** An answered append survives a crash.
/// - **J2** An intent is durable before the step acts.
/// - **J3** A changed, reordered, inserted or removed entry is found, and a cut against an anchor.
/// - **J4** Once a newer term has taken the journal, an older driver cannot append: `Fenced`.
/// - **J5** An intent without outcome is probed after a crash, never blindly repeated.
/// - **J6** Each outcome signs the head that it makes; a missing or foreign signature is found.
/// - **J7** The journal as it was is a prefix of the journal after a resume.
/// - **J8** A run's plan is pinned: another plan under the same run id is refused.
/// - **J9** The nonce of a step is the same in every attempt, across crashes and retries.
/// - **J10** Facts of done steps are handed to later ones, also after a crash.
/// - **J11** A probe recognises the run's own effect by its nonce: an equal effect of another
///   claimant is not taken for it.
#[derive(Debug)]
pub struct Journal {
    store: Arc<dyn StateStore>,
    clock: Arc<dyn Clock>,
    // None after an append whose outcome the cache cannot vouch for: read again then.
    book: Mutex<Option<Book>>,
}

impl Journal {
    /// Opens the journal of a store and verifies its whole chain. An empty store holds an empty
    /// journal.
    ///
    /// # Errors
    /// `Corrupt` with the sequence of the first entry that is changed, missing, out of place or
    /// beyond the head: stop, and keep the evidence. `Retry` if the store cannot be reached.
    pub async fn open(store: Arc<dyn StateStore>, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let mut book = Book::empty();
        book.advance(&*store).await?;
        Ok(Self { store, clock, book: Mutex::new(Some(book)) })
    }

    /// Verifies the whole chain again, from the store.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub async fn verify(&self) -> Result<Anchor, Error> {
        let mut fresh = Book::empty();
        fresh.advance(&*self.store).await?;
        Ok(fresh.end())
    }

    /// Takes the driver's lease for a term: from here on only the returned lease appends.
    ///
    /// # Errors
    /// `NotApplied(Fenced)` if a driver of a newer term holds it; `NotApplied(Refused)` if the
    /// journal belongs to another region. `InDoubt`: take it again.
    ///
    /// # Cancel safety
    /// Not cancel safe: a dropped call may have taken it. Take it again.
    pub async fn take(&self, term: Term, signer: Arc<Signer>) -> Result<DriverLease, Failure> {
        let mut last = Error::conflict("journal-moved", "the journal's head moved while the lease was taken");
        for _ in 0..TAKE_TRIES {
            let mut cached = self.book.lock().await;
            let book = self.current(&mut cached).await.map_err(Failure::NotApplied)?;
            lease::judge_take(book.seat(), &term).map_err(Failure::NotApplied)?;
            let seat = Seat { term: term.clone(), taken: book.end().sequence + 1 };
            let taking = DriverLease { seat, signer: Arc::clone(&signer) };
            let entry = JournalEntry::DriverTaken { term: term.clone() };
            match self.write(&mut cached, book, &taking, entry).await {
                Ok(_) => return Ok(taking),
                Err(Failure::NotApplied(error)) if error.kind() == ErrorKind::Conflict => last = error,
                Err(failure) => return Err(failure),
            }
        }
        Err(Failure::NotApplied(last))
    }

    /// Appends an entry and returns once it is durable.
    ///
    /// # Errors
    /// `NotApplied(Fenced)` if another driver has taken the lease: stop driving.
    /// `NotApplied(Conflict)` if the journal has moved: read and decide again.
    /// `NotApplied(Invalid)` if the entry contradicts those before or is too large.
    /// `InDoubt`: read the journal before deciding anything.
    ///
    /// # Cancel safety
    /// Not cancel safe: a dropped call is in doubt. The journal reads the store again by itself.
    pub async fn append(&self, lease: &DriverLease, entry: JournalEntry) -> Result<Anchor, Failure> {
        let mut cached = self.book.lock().await;
        let book = match cached.take() {
            Some(book) => book,
            None => self.current(&mut cached).await.map_err(Failure::NotApplied)?,
        };
        lease::judge_append(book.seat(), &lease.seat).map_err(Failure::NotApplied)?;
        let written = self.write(&mut cached, book, lease, entry).await;
        if matches!(&written, Err(Failure::NotApplied(error)) if error.kind() == ErrorKind::Conflict) {
            let book = self.current(&mut cached).await.map_err(Failure::NotApplied)?;
            let judged = lease::judge_append(book.seat(), &lease.seat);
            *cached = Some(book);
            judged.map_err(Failure::NotApplied)?;
        }
        written
    }

    async fn write(
        &self,
        cached: &mut Option<Book>,
        book: Book,
        lease: &DriverLease,
        entry: JournalEntry,
    ) -> Result<Anchor, Failure> {
        let record = Record { at: self.clock.now(), entry };
        let prepared = match append::prepare(&book, record, lease) {
            Ok(prepared) => prepared,
            Err(error) => {
                *cached = Some(book);
                return Err(Failure::NotApplied(error));
            }
        };
        // Out of the cache while the commit runs: dropped or in doubt, it is read again.
        *cached = None;
        let revision = append::commit(&*self.store, &*self.clock, &prepared).await?;
        let book = book.with(prepared, revision);
        let end = book.end();
        *cached = Some(book);
        Ok(end)
    }

    // The book as the store has it now; leaves the cache empty.
    async fn current(&self, cached: &mut Option<Book>) -> Result<Book, Error> {
        let mut book = cached.take().unwrap_or_else(Book::empty);
        book.advance(&*self.store).await?;
        Ok(book)
    }

    async fn read<T>(&self, look: impl FnOnce(&Book) -> T) -> Result<T, Error> {
        let mut cached = self.book.lock().await;
        let book = self.current(&mut cached).await?;
        let seen = look(&book);
        *cached = Some(book);
        Ok(seen)
    }

    /// Where the journal ends now: keep it elsewhere, and ask [`Journal::matches_anchor`] later.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub async fn anchor(&self) -> Result<Anchor, Error> {
        self.read(Book::end).await
    }

    /// Whether this journal holds the anchored entry: false if it was cut before it or rewritten.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub async fn matches_anchor(&self, anchor: &Anchor) -> Result<bool, Error> {
        if anchor.sequence == 0 {
            return Ok(*anchor == Anchor::EMPTY);
        }
        let mut fresh = Book::empty();
        let found = fresh.advance_noting(&*self.store, anchor.sequence).await?;
        Ok(found == Some(anchor.head))
    }

    /// What the journal says of a run.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub async fn run(&self, run: &RunId) -> Result<Option<RunState>, Error> {
        self.read(|book| book.runs().get(run).cloned()).await
    }

    /// What the journal says of a run, for the driver that holds a lease.
    ///
    /// # Errors
    /// `Fenced` if another driver has taken the lease; otherwise as [`Journal::open`].
    pub async fn run_as(&self, lease: &DriverLease, run: &RunId) -> Result<Option<RunState>, Error> {
        self.read(|book| {
            lease::judge_append(book.seat(), &lease.seat)?;
            Ok(book.runs().get(run).cloned())
        })
        .await?
    }

    /// Whether the holder of a lease still drives.
    ///
    /// # Errors
    /// `Fenced` if another driver has taken the lease; otherwise as [`Journal::open`].
    pub async fn confirm(&self, lease: &DriverLease) -> Result<(), Error> {
        self.read(|book| lease::judge_append(book.seat(), &lease.seat)).await?
    }

    /// How many runs were ever opened.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub async fn run_count(&self) -> Result<usize, Error> {
        self.read(|book| book.runs().iter().count()).await
    }

    /// Runs that are not closed, by id.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub async fn open_runs(&self) -> Result<Vec<RunId>, Error> {
        self.read(|book| book.runs().open()).await
    }

    /// The term of the present driver.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub async fn driver(&self) -> Result<Option<Term>, Error> {
        self.read(|book| book.seat().map(|seat| seat.term.clone())).await
    }

    /// Entries after a sequence, at most `limit`, verified as following each other.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub async fn export_after(&self, sequence: u64, limit: usize) -> Result<Vec<ExportLine>, Error> {
        let lines = book::page(&*self.store, sequence, limit).await?;
        let mut last: Option<Anchor> = (sequence == 0).then_some(Anchor::EMPTY);
        for line in &lines {
            let before = last.unwrap_or(Anchor { sequence, head: line.previous });
            last = Some(chain::follow(&before, line)?.0);
        }
        Ok(lines)
    }

    /// The whole journal.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub async fn export(&self) -> Result<Vec<ExportLine>, Error> {
        let end = self.anchor().await?.sequence;
        let mut lines = Vec::new();
        while (lines.len() as u64) < end {
            let page = self.export_after(lines.len() as u64, book::PAGE).await?;
            if page.is_empty() {
                return Err(Error::corrupt("journal-cut", format!("journal entry {}: missing", lines.len() + 1)));
            }
            lines.extend(page);
        }
        Ok(lines)
    }
}
