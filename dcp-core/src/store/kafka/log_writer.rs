//! The one writer of a log in one role: a group of batches is one transaction.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::cluster::{Until, wall_millis};
use super::core::Core;
use super::holder::Holder;
use super::laying::Laid;
use super::log::Log;
use super::producer::{Producer, is_fenced, of_session, state_parts};
use super::rounds::rounds;
use crate::error::{Error, Failure};
use crate::ownership::Epoch;
use crate::store::lanes::Writes;
use crate::store::work::{Done, Work};

/// How long whoever took the id has to say by what right.
const GRACE: Duration = Duration::from_millis(100);

/// A log's writer.
#[derive(Debug)]
pub(super) struct LogWriter {
    pub(super) core: Arc<Core>,
    pub(super) log: Arc<Log>,
    /// Where ids are looked up beside the log; none for a copy.
    pub(super) mirrors: Vec<Arc<Log>>,
    pub(super) epoch: Epoch,
    pub(super) record_max: usize,
    pub(super) session: Mutex<Session>,
}

/// The producer, and what is known of its last transaction.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) producer: Producer,
    pub(super) holder: Holder,
    /// False while a transaction may be open, or decided without us.
    pub(super) settled: bool,
    /// Why it writes nothing any more.
    pub(super) dead: Option<Error>,
}

impl Session {
    pub(super) fn new(producer: Producer, holder: Holder) -> Self {
        Self { producer, holder, settled: true, dead: None }
    }
}

impl Writes for LogWriter {
    // A session has its lanes to itself, since it has its own producers.
    type Asked = Work;

    async fn write(&self, group: Vec<Work>) -> Result<Vec<Result<Done, Error>>, Failure> {
        let mut session = self.session.lock().await;
        if let Some(why) = &session.dead {
            return Err(Failure::NotApplied(why.clone()));
        }
        let written = Box::pin(self.transaction(&mut session, group)).await;
        if let Err(Failure::NotApplied(error)) = &written
            && is_fenced(error)
        {
            session.dead = Some(error.clone());
        }
        written
    }
}

impl LogWriter {
    async fn transaction(&self, session: &mut Session, group: Vec<Work>) -> Result<Vec<Result<Done, Error>>, Failure> {
        let refused = Failure::NotApplied;
        self.log.check().map_err(refused)?;
        if !session.settled {
            self.settle(session).await.map_err(refused)?;
        }
        self.core.confirm(&self.mirrors).await.map_err(refused)?;
        let (mut laid, expected) = self.lay_out(&group);
        let answers = group.into_iter().map(|work| laid.lay(self.epoch, work)).collect();
        // Whatever happens from here on, it is not known until it is answered.
        session.settled = false;
        if !laid.writes() {
            // Nothing is written, but whoever has been fenced must hear of it.
            match session.producer.confirm().await {
                Ok(()) => {}
                Err(Failure::NotApplied(error)) => return Err(self.uncommitted(session, error).await),
                Err(Failure::InDoubt(doubt)) => {
                    return Err(refused(Error::retry("not-confirmed", doubt.to_string()).at(&self.log.id)));
                }
            }
            session.settled = true;
            return Ok(answers);
        }
        let written = match self.write_all(session, &laid, expected).await {
            // It may have taken long, and ids may have come to the mirrors meanwhile.
            Ok(()) => self.core.within_lag(&self.mirrors),
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            return Err(self.uncommitted(session, error).await);
        }
        match session.producer.commit().await {
            Ok(()) => {}
            Err(Failure::NotApplied(error)) => return Err(self.uncommitted(session, error).await),
            Err(doubt @ Failure::InDoubt(_)) => return Err(doubt),
        }
        self.log.index().land(laid.decision(), expected);
        session.settled = true;
        Ok(answers)
    }

    // Nothing of the transaction was or will be committed: the cluster or this writer has seen to it. What
    // is open is ended at once, so that readers are not held back until the time-out. Only what is read
    // from the state topic says that the writer is fenced: the cluster says so for a transaction that
    // took too long as well.
    async fn uncommitted(&self, session: &mut Session, error: Error) -> Failure {
        Failure::NotApplied(match self.settle(session).await {
            Err(fenced) if is_fenced(&fenced) => fenced,
            _ => of_session(error).at(&self.log.id),
        })
    }

    fn lay_out(&self, group: &[Work]) -> (Laid, i64) {
        let index = self.log.index();
        let mirrors: Vec<_> = self.mirrors.iter().map(|mirror| mirror.index()).collect();
        let laid = Laid::behind(&self.log.id, &index, mirrors.iter().map(|index| &**index), group, self.record_max);
        (laid, index.expected_offset())
    }

    // The group was decided on a log that ends where its first batch must land. Were it elsewhere,
    // somebody else has written, and the decision may be wrong: it is not committed.
    async fn write_all(&self, session: &mut Session, laid: &Laid, expected: i64) -> Result<(), Error> {
        let (state, mut expected) = (&self.core.state, expected);
        let records = &laid.decision().records;
        let parts = state_parts(state, laid.cursors());
        for parts in rounds(&self.log.place, records, self.record_max, parts, state.record_max(), wall_millis()) {
            let count = parts.iter().find(|(place, _)| *place == self.log.place).map(|(_, records)| records.len());
            let begin = session.producer.write(&parts).await?;
            let Some(count) = count else { continue };
            let at = begin.get(&self.log.place).copied();
            if at != Some(expected) {
                let message = format!(
                    "{}: the batch landed at offset {at:?} of {} and was decided for {expected}: somebody else writes to \
                     this topic; nothing was committed",
                    self.log.id, self.log.place
                );
                return Err(Error::retry("foreign-writer", message));
            }
            expected += i64::try_from(count).unwrap_or(i64::MAX);
        }
        Ok(())
    }

    /// Ends what is open, finds out what became of it, and folds up to the end.
    ///
    /// # Errors
    /// `Fenced` if the log is another's to write; else to be done again.
    async fn settle(&self, session: &mut Session) -> Result<(), Error> {
        let core = &self.core;
        // First, so that a successor's transaction is not cut off; only as far as it is decided, since what
        // is not may be our own.
        session.holder.check(core, Until::Stable).await?;
        match session.producer.renew(&core.cluster).await {
            Ok(()) => {}
            // Whoever took the id since may have come to nothing: an opener that was too late.
            Err(error) if is_fenced(&error) => {
                core.cluster.clock.sleep(GRACE).await;
                session.holder.check(core, Until::Decided).await?;
                tracing::info!(log = %self.log.id, %error, "taking the writer's id again: nobody else holds the log");
                session.producer.take_again(&core.cluster).await.map_err(of_session)?;
            }
            Err(error) => return Err(error),
        }
        // From here on nobody else can commit without taking the id, and whoever did before is seen.
        session.holder.check(core, Until::Decided).await?;
        core.catch_up(&self.log, Until::Decided).await?;
        session.settled = true;
        Ok(())
    }
}
