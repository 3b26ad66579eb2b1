//! One transactional producer, and transactions through it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::cluster::{Cluster, wall_millis};
use super::state::record;
use super::state_topic::StateTopic;
use crate::error::{Error, ErrorKind, Failure};
use crate::kafka::batch::{self, Record};
use crate::kafka::{KafkaClient, Outcome, Produce, ProducerSession, TopicPartition};

/// The holder of a transactional id, until another one takes it.
#[derive(Debug)]
pub(super) struct Producer {
    /// Beside that of the readers: a batch waits at its broker until the transaction before it is over.
    client: KafkaClient,
    id: Arc<str>,
    session: ProducerSession,
    /// Number of the next record by partition, since the transaction began.
    sequences: BTreeMap<TopicPartition, i32>,
}

/// Records for one partition, of one batch.
pub(super) type Part = (TopicPartition, Vec<Record>);

impl Producer {
    /// Takes the id: its holder is fenced, and what that one left open is aborted.
    pub(super) async fn take(cluster: &Cluster, id: Arc<str>) -> Result<Self, Failure> {
        let client = cluster.producer_client().map_err(Failure::NotApplied)?;
        let session = client.init_producer(Some(&id), cluster.settings.transaction_timeout, None).await?;
        Ok(Self { client, id, session, sequences: BTreeMap::new() })
    }

    /// Writes parts into the open transaction, or begins one. Answers where each partition's batch begins.
    ///
    /// # Errors
    /// The transaction can only be aborted then: nothing of it was committed, or will be.
    pub(super) async fn write(&mut self, parts: &[Part]) -> Result<BTreeMap<TopicPartition, i64>, Error> {
        let mut batches = Vec::with_capacity(parts.len());
        for (place, records) in parts {
            let sequence = self.sequences.entry(place.clone()).or_default();
            batches.push((place.clone(), batch::encode(records, self.session, *sequence, true)?.into()));
            *sequence = sequence.wrapping_add(i32::try_from(records.len()).unwrap_or(i32::MAX)) & i32::MAX;
        }
        let produce = Produce::new(batches).with_transactional_id(Arc::clone(&self.id));
        let outcomes = self.client.produce(produce).await.map_err(uncommitted)?;
        let mut begin = BTreeMap::new();
        for (place, outcome) in outcomes {
            begin.insert(place, outcome.map_err(uncommitted)?.base_offset);
        }
        Ok(begin)
    }

    /// Commits.
    ///
    /// # Errors
    /// As in doubt, or fenced before it.
    pub(super) async fn commit(&mut self) -> Result<(), Failure> {
        self.end(Outcome::Commit).await
    }

    /// Aborts where nothing was written: an answer shows that the id is still held.
    pub(super) async fn confirm(&mut self) -> Result<(), Failure> {
        self.end(Outcome::Abort).await
    }

    async fn end(&mut self, outcome: Outcome) -> Result<(), Failure> {
        self.session = self.client.end_transaction(&self.id, self.session, outcome).await?;
        self.sequences.clear();
        Ok(())
    }

    /// Ends whatever is open or in doubt under the id. A successor whose transaction is open at that moment
    /// loses it and must renew in its turn: whoever may have a successor looks first who holds the id.
    ///
    /// # Errors
    /// `Fenced` if the id was taken since; else to be done again.
    pub(super) async fn renew(&mut self, cluster: &Cluster) -> Result<(), Error> {
        self.begin(cluster, Some(self.session)).await
    }

    /// Takes the id once more, from whoever took it meanwhile.
    pub(super) async fn take_again(&mut self, cluster: &Cluster) -> Result<(), Error> {
        self.begin(cluster, None).await
    }

    async fn begin(&mut self, cluster: &Cluster, current: Option<ProducerSession>) -> Result<(), Error> {
        let beginning = self.client.init_producer(Some(&self.id), cluster.settings.transaction_timeout, current);
        let begun = cluster.within(async { beginning.await.map_err(uncommitted) }).await?;
        self.session = begun;
        self.sequences.clear();
        Ok(())
    }

    /// Sets keys of the state topic in a transaction of their own.
    pub(super) async fn set(&mut self, state: &StateTopic, values: &BTreeMap<String, Bytes>) -> Result<(), Failure> {
        if let Err(error) = self.write(&state_parts(state, values)).await {
            // At once, so that nobody is held back until the time-out. If it fails, that ends it.
            let _ = self.end(Outcome::Abort).await;
            return Err(Failure::NotApplied(error));
        }
        self.commit().await
    }
}

/// Keys and values, by the partition of each key.
pub(super) fn state_parts(state: &StateTopic, values: &BTreeMap<String, Bytes>) -> Vec<Part> {
    let mut parts: BTreeMap<TopicPartition, Vec<Record>> = BTreeMap::new();
    for (key, value) in values {
        parts.entry(state.place(key)).or_default().push(record(key, value.clone(), wall_millis()));
    }
    parts.into_iter().collect()
}

/// A refusal as the caller should hear it after the session was settled: what was wrong with the session
/// is over, so that the same batch may pass. What is wrong with records or rights stays.
pub(super) fn of_session(error: Error) -> Error {
    if is_lost(&error) { Error::retry("transaction-lost", format!("{error}; nothing was committed")) } else { error }
}

/// Whether a session, or its transaction, came to an end under its holder: another one took the id, or the
/// cluster ended the transaction. Nothing of it was committed.
pub(super) fn is_lost(error: &Error) -> bool {
    const SESSION: [&str; 3] = ["sequence-out-of-order", "duplicate-sequence", "unknown-server-error"];
    matches!(error.kind(), ErrorKind::Fenced | ErrorKind::Conflict) || SESSION.contains(&error.code())
}

// What was written and not committed never counts: the holder of the id alone could commit it.
fn uncommitted(failure: Failure) -> Error {
    match failure {
        Failure::NotApplied(error) => error,
        Failure::InDoubt(doubt) => Error::retry(NOT_COMMITTED, doubt.to_string()),
    }
}

/// Code of a write that may have come to the log, in a transaction that was not committed.
const NOT_COMMITTED: &str = "not-committed";

/// Whether nothing was committed for a reason that is gone once the id is taken again.
pub(super) fn is_cut_off(error: &Error) -> bool {
    is_lost(error) || error.code() == NOT_COMMITTED
}

/// Whether another producer has the id.
pub(super) fn is_fenced(error: &Error) -> bool {
    error.kind() == ErrorKind::Fenced
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind::{Corrupt, Invalid, Refused, Retry};

    #[test]
    fn trouble_of_a_session_is_not_the_callers() {
        let kind = |error: Error| of_session(error).kind();
        let conflict = |code| kind(Error::conflict(code, ""));
        assert!(
            ["producer-id-mapping", "unknown-producer", "transaction-abortable", "transaction-state"]
                .into_iter()
                .all(|code| conflict(code) == Retry)
        );
        assert_eq!(kind(Error::fenced("producer-fenced", "")), Retry);
        assert_eq!(kind(Error::invalid("sequence-out-of-order", "")), Retry);
        assert_eq!(kind(Error::corrupt("unknown-server-error", "")), Retry);
        assert_eq!(kind(Error::invalid("record-too-large", "")), Invalid);
        assert_eq!(kind(Error::invalid("bad-timestamp", "")), Invalid);
        assert_eq!(kind(Error::corrupt("invalid-record", "")), Corrupt);
        assert_eq!(kind(Error::refused("topic-not-permitted", "")), Refused);
    }
}
