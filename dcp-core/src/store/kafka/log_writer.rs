//! The one writer of a log in one role: a group of batches is one transaction.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::cluster::{Until, wall_millis};
use super::core::Core;
use super::headers::to_kafka;
use super::laying::{Laid, weight};
use super::log::Log;
use super::producer::{Producer, is_fenced, state_parts};
use crate::error::{Error, Failure};
use crate::ownership::Epoch;
use crate::store::append::Planned;
use crate::store::lanes::{Done, Work, Writes};

/// Most bytes of one batch, unless one record alone is larger.
const BATCH_BYTES: usize = 768 << 10;

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
    /// False while a transaction may be open, or decided without us.
    pub(super) settled: bool,
    /// Why it writes nothing any more.
    pub(super) dead: Option<Error>,
}

impl Session {
    pub(super) fn new(producer: Producer) -> Self {
        Self { producer, settled: true, dead: None }
    }
}

impl Writes for LogWriter {
    async fn write(&self, group: Vec<Work>) -> Result<Vec<Result<Done, Error>>, Failure> {
        let mut session = self.session.lock().await;
        if let Some(why) = &session.dead {
            return Err(Failure::NotApplied(why.clone()));
        }
        let written = Box::pin(self.transaction(&mut session, group)).await;
        if let Err(Failure::NotApplied(error)) = &written
            && is_fenced(error)
        {
            session.dead = Some(self.fenced(error));
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
            let confirmed = session.producer.confirm(&self.core.cluster).await;
            confirmed.map_err(|failure| self.unwritten(failure))?;
            session.settled = true;
            return Ok(answers);
        }
        if let Err(error) = self.write_all(session, &laid, expected).await {
            // At once, so that readers are not held back until the time-out.
            return Err(refused(match self.settle(session).await {
                Err(fenced) if is_fenced(&fenced) => fenced,
                _ => error,
            }));
        }
        session.producer.commit(&self.core.cluster).await?;
        self.log.index().land(laid.decision(), expected);
        session.settled = true;
        Ok(answers)
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
        let cluster = &self.core.cluster;
        let mut parts = state_parts(&self.core.state, laid.cursors());
        let (now, mut expected) = (wall_millis(), expected);
        for records in batches(&laid.decision().records) {
            let records: Vec<_> = records.iter().map(|planned| to_kafka(planned, now)).collect();
            let count = i64::try_from(records.len()).unwrap_or(i64::MAX);
            parts.push((self.log.place.clone(), records));
            let begin = session.producer.write(cluster, &parts).await?;
            let at = begin.get(&self.log.place).copied();
            if at != Some(expected) {
                let message = format!(
                    "{}: the batch landed at offset {at:?} of {} and was decided for {expected}: somebody else writes to \
                     this topic; nothing was committed",
                    self.log.id, self.log.place
                );
                return Err(Error::retry("foreign-writer", message));
            }
            expected += count;
            parts.clear();
        }
        if parts.is_empty() { Ok(()) } else { session.producer.write(cluster, &parts).await.map(drop) }
    }

    /// Ends what is open, finds out what became of it, and folds up to the end.
    async fn settle(&self, session: &mut Session) -> Result<(), Error> {
        session.producer.renew(&self.core.cluster).await?;
        self.core.catch_up(&self.log, Until::Decided).await?;
        session.settled = true;
        Ok(())
    }

    fn unwritten(&self, failure: Failure) -> Failure {
        match failure {
            Failure::InDoubt(doubt) => {
                Failure::NotApplied(Error::retry("not-confirmed", doubt.to_string()).at(&self.log.id))
            }
            refused @ Failure::NotApplied(_) => refused,
        }
    }

    fn fenced(&self, cause: &Error) -> Error {
        Error::fenced(
            "newer-writer",
            format!("{}: another writer was opened in the same role, or the log was sealed ({cause})", self.log.id),
        )
    }
}

/// Records in batches of a bounded size.
fn batches(records: &[Planned]) -> Vec<&[Planned]> {
    let (mut batches, mut begin, mut bytes) = (Vec::new(), 0, 0);
    for (at, planned) in records.iter().enumerate() {
        let weight = weight(planned);
        if at > begin && bytes + weight > BATCH_BYTES {
            batches.push(&records[begin..at]);
            (begin, bytes) = (at, 0);
        }
        bytes += weight;
    }
    if begin < records.len() {
        batches.push(&records[begin..]);
    }
    batches
}
