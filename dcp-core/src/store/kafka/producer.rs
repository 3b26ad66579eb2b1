//! One transactional producer, and transactions through it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::cluster::{Cluster, late, wall_millis};
use super::state::record;
use super::state_topic::StateTopic;
use crate::error::{Error, ErrorKind, Failure};
use crate::kafka::batch::{self, Record};
use crate::kafka::{Outcome, Produce, ProducerSession, TopicPartition};

/// The holder of a transactional id, until another one takes it.
#[derive(Debug)]
pub(super) struct Producer {
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
        let session = cluster.client.init_producer(Some(&id), cluster.settings.transaction_timeout, None).await?;
        Ok(Self { id, session, sequences: BTreeMap::new() })
    }

    /// Writes parts into the open transaction, or begins one. Answers where each partition's batch begins.
    ///
    /// # Errors
    /// The transaction can only be aborted then: nothing of it was committed, or will be.
    pub(super) async fn write(
        &mut self,
        cluster: &Cluster,
        parts: &[Part],
    ) -> Result<BTreeMap<TopicPartition, i64>, Error> {
        let mut batches = Vec::with_capacity(parts.len());
        for (place, records) in parts {
            let sequence = self.sequences.entry(place.clone()).or_default();
            batches.push((place.clone(), batch::encode(records, self.session, *sequence, true)?.into()));
            *sequence = sequence.wrapping_add(i32::try_from(records.len()).unwrap_or(i32::MAX)) & i32::MAX;
        }
        let produce = Produce::new(batches).with_transactional_id(Arc::clone(&self.id));
        let outcomes = cluster.client.produce(produce).await.map_err(uncommitted)?;
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
    pub(super) async fn commit(&mut self, cluster: &Cluster) -> Result<(), Failure> {
        self.end(cluster, Outcome::Commit).await
    }

    /// Aborts where nothing was written: an answer shows that the id is still held.
    pub(super) async fn confirm(&mut self, cluster: &Cluster) -> Result<(), Failure> {
        self.end(cluster, Outcome::Abort).await
    }

    async fn end(&mut self, cluster: &Cluster, outcome: Outcome) -> Result<(), Failure> {
        self.session = cluster.client.end_transaction(&self.id, self.session, outcome).await?;
        self.sequences.clear();
        Ok(())
    }

    /// Ends whatever is open or in doubt, unless the id is another's by now. A successor is never fenced.
    ///
    /// # Errors
    /// `Fenced` if it is; else to be done again.
    pub(super) async fn renew(&mut self, cluster: &Cluster) -> Result<(), Error> {
        let timeout = cluster.settings.transaction_timeout;
        let renewing = cluster.client.init_producer(Some(&self.id), timeout, Some(self.session));
        let renewed = tokio::select! {
            biased;
            renewed = renewing => renewed.map_err(uncommitted)?,
            () = cluster.clock.sleep(cluster.settings.deadline) => return Err(late(cluster.settings.deadline)),
        };
        self.session = renewed;
        self.sequences.clear();
        Ok(())
    }

    /// Sets keys of the state topic in a transaction of their own.
    pub(super) async fn set(
        &mut self,
        cluster: &Cluster,
        state: &StateTopic,
        values: &BTreeMap<String, Bytes>,
    ) -> Result<(), Failure> {
        self.write(cluster, &state_parts(state, values)).await.map_err(Failure::NotApplied)?;
        self.commit(cluster).await
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

// What was written and not committed never counts: the holder of the id alone could commit it.
fn uncommitted(failure: Failure) -> Error {
    match failure {
        Failure::NotApplied(error) => error,
        Failure::InDoubt(doubt) => Error::retry("not-committed", doubt.to_string()),
    }
}

/// Whether another producer has the id.
pub(super) fn is_fenced(error: &Error) -> bool {
    error.kind() == ErrorKind::Fenced
}
