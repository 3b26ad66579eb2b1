//! What a producer decides: which lines go together, whom to send to, and what an answer means.
//! Pure: no clock, no file, no socket.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use dcp_core::error::{Error, ErrorKind, Failure};
use dcp_core::event::NewEvent;
use dcp_core::ids::{RegionId, ScopeId, SliceRef};
use dcp_core::ownership::{Epoch, Ownership};
use dcp_core::ports::Appended;
use dcp_core::treaty::Treaty;

/// First and longest pause between two attempts.
pub const PAUSE_MIN: Duration = Duration::from_millis(20);
/// See [`PAUSE_MIN`].
pub const PAUSE_MAX: Duration = Duration::from_millis(250);
/// A rule that refuses this often in a row, while the owner stays the same, stops the producer.
pub const REFUSALS_MAX: u32 = 20;

/// The owner of a slice, as a signed record names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[allow(clippy::exhaustive_structs)]
pub struct Owner {
    /// Number of the ownership; compared first.
    pub epoch: Epoch,
    /// The region.
    pub region: RegionId,
}

/// The lines that may go next: from `from` on, at most `most`, none above the gate.
#[must_use]
pub fn next_batch(lines: &[u64], from: usize, gate: u64, most: usize) -> Range<usize> {
    let rest = lines.get(from..).unwrap_or(&[]);
    let count = rest.iter().take(most).take_while(|line| **line <= gate).count();
    from..from + count
}

/// The higher of two owners of one slice.
///
/// # Errors
/// `Corrupt` for two owners in one epoch, or a record of another slice or of a region that may not
/// own it: no line may be sent until operators have resolved it.
pub fn newer(treaty: &Treaty, slice: &SliceRef, known: Option<&Owner>, told: &Ownership) -> Result<Owner, Error> {
    let corrupt = |what: String| Error::corrupt("bad-ownership", format!("{slice}: {what}"));
    if &told.slice != slice {
        return Err(corrupt(format!("a region answered with the owner of {}", told.slice)));
    }
    if !treaty.scope(&slice.scope)?.may_own(&told.owner) {
        return Err(corrupt(format!("{} may not own it", told.owner)));
    }
    match known {
        Some(known) if known.epoch == told.epoch && known.region != told.owner => Err(corrupt(format!(
            "{} and {} both hold signed epoch {}; run resolve-dual-claim",
            known.region, told.owner, told.epoch
        ))),
        Some(known) if known.epoch >= told.epoch => Ok(known.clone()),
        _ => Ok(Owner { epoch: told.epoch, region: told.owner.clone() }),
    }
}

/// What came of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Outcome {
    /// Acknowledged in time.
    Counted(Appended),
    /// Certainly not applied.
    NotApplied(Error),
    /// The region itself does not know.
    InDoubt,
    /// No answer in time, or one that came too late to be counted.
    Late,
}

/// Judges an answer: it counts only within the deadline of sending. A certain refusal stays certain
/// however late it comes.
#[must_use]
pub fn judge(answer: Option<Result<Appended, Failure>>, waited: Duration, deadline: Duration) -> Outcome {
    match answer {
        Some(Err(Failure::NotApplied(error))) => Outcome::NotApplied(error),
        None => Outcome::Late,
        Some(_) if waited > deadline => Outcome::Late,
        Some(Err(Failure::InDoubt(_))) => Outcome::InDoubt,
        Some(Ok(appended)) => Outcome::Counted(appended),
    }
}

/// Whether an acknowledgement is one of this very batch.
///
/// # Errors
/// `Corrupt` unless it names every event of the batch, in order, in a log of the same scope and
/// partition.
pub fn check_answer(scope: &ScopeId, partition: u32, events: &[NewEvent], appended: &Appended) -> Result<(), Error> {
    let same_ids = appended.acks.iter().map(|ack| ack.id).eq(events.iter().map(|event| event.id));
    let same_place = appended.acks.iter().all(|ack| ack.log.scope() == scope && ack.log.partition() == partition);
    if same_ids && same_place {
        Ok(())
    } else {
        Err(Error::corrupt("other-answer", format!("{scope}/{partition}: acknowledged events that were not sent")))
    }
}

/// What to do after an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Next {
    /// Note the acknowledgements and go on.
    Done,
    /// Send the same batch again; if it is in doubt, note that first.
    Again {
        /// Whether the batch may have been applied.
        in_doubt: bool,
    },
    /// Repeating cannot cure it.
    Stop(Error),
}

/// Whom one partition sends to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    home: RegionId,
    prefers_home: bool,
    // The home region under an epoch in which it acknowledged the last batch, where it is preferred.
    staying: Option<Owner>,
    // Regions that let a deadline pass and were not heard since: a request to them would only wait.
    silent: BTreeSet<RegionId>,
    failures: u32,
    refusals: u32,
}

impl Route {
    /// A route that has sent nothing yet.
    #[must_use]
    pub fn new(home: RegionId, prefers_home: bool) -> Self {
        Self { home, prefers_home, staying: None, silent: BTreeSet::new(), failures: 0, refusals: 0 }
    }

    /// Whom to send to now: the newest owner, unless the partition stays with a home region that
    /// acknowledges. None if no owner is known or it has been silent: ask first.
    #[must_use]
    pub fn target(&self, newest: Option<&Owner>) -> Option<Owner> {
        let target = self.staying.as_ref().or(newest)?;
        (!self.silent.contains(&target.region)).then(|| target.clone())
    }

    /// A region has answered a question.
    pub fn heard(&mut self, region: &RegionId) {
        self.silent.remove(region);
    }

    /// A question has brought nothing that changes the target.
    pub fn learned_nothing(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// How long to wait before the next attempt: twice as long each time, within the bounds.
    #[must_use]
    pub fn pause(&self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(8);
        PAUSE_MAX.min(PAUSE_MIN * (1 << doublings))
    }

    /// Takes in what came of a request.
    pub fn after(&mut self, to: &Owner, outcome: &Outcome) -> Next {
        if let Outcome::Counted(_) = outcome {
            let stays = self.prefers_home && to.region == self.home;
            self.staying = stays.then(|| to.clone());
            (self.failures, self.refusals) = (0, 0);
            return Next::Done;
        }
        self.staying = None;
        match outcome {
            Outcome::Late => {
                self.silent.insert(to.region.clone());
                self.refusals = 0;
                Next::Again { in_doubt: true }
            }
            Outcome::NotApplied(error) => self.after_refusal(error),
            Outcome::InDoubt | Outcome::Counted(_) => {
                self.refusals = 0;
                Next::Again { in_doubt: true }
            }
        }
    }

    fn after_refusal(&mut self, error: &Error) -> Next {
        self.refusals = if error.kind() == ErrorKind::Refused { self.refusals + 1 } else { 0 };
        match error.kind() {
            ErrorKind::Invalid | ErrorKind::Corrupt => Next::Stop(error.clone()),
            ErrorKind::Refused if self.refusals >= REFUSALS_MAX => Next::Stop(error.clone()),
            // A region that was stopped may be started again, and another may take over meanwhile.
            ErrorKind::Refused | ErrorKind::Fenced | ErrorKind::Retry | ErrorKind::Conflict | ErrorKind::Stopped => {
                Next::Again { in_doubt: false }
            }
        }
    }
}

#[cfg(test)]
mod tests;
