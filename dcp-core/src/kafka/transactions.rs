//! Producers and their transactions, of transaction protocol version 2: a partition becomes part of a
//! transaction by the first batch written to it, and each end of a transaction raises the epoch.

use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::messages::{EndTxnRequest, InitProducerIdRequest, ProducerId};

use super::client::{CoordinatorOf, Effect, KafkaClient};
use super::refusal::Refusal;
use super::wire::text;
use crate::error::{Error, Failure};

/// What a producer writes into its batches. A transaction begins with sequence 0 on every partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "the protocol has these two")]
pub struct ProducerSession {
    /// Given by the cluster.
    pub producer_id: i64,
    /// Raised by each successor and by each end of a transaction.
    pub epoch: i16,
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Outcome {
    /// Its records can be read.
    Commit,
    /// Its records are never seen by readers of committed records.
    Abort,
}

impl KafkaClient {
    /// Begins a producer. With a transactional id, it fences the producer that had that id before, and
    /// aborts what that one left open; such a transaction is aborted by the cluster if it is open for
    /// longer than `transaction_timeout`. With `current`, only that session is renewed: if another one
    /// has taken the id since, the answer is `Fenced`. A transaction that the other one has open may be
    /// aborted by it all the same (coordinators of 4.1 compare the producer's number alone): look first who
    /// holds the id, where that is kept.
    ///
    /// # Errors
    /// `Fenced` as said; `Refused` if the client may not use the id, or the cluster has older
    /// transactions; `Retry` or in doubt after the deadline: in both cases call again.
    ///
    /// # Cancel safety
    /// The predecessor may be fenced: call again.
    pub async fn init_producer(
        &self,
        transactional_id: Option<&str>,
        transaction_timeout: Duration,
        current: Option<ProducerSession>,
    ) -> Result<ProducerSession, Failure> {
        let of = transactional_id.map(|id| CoordinatorOf::Transactions(id.into()));
        let current = current.unwrap_or(ProducerSession { producer_id: -1, epoch: -1 });
        let timeout = i32::try_from(transaction_timeout.as_millis()).unwrap_or(i32::MAX);
        let request = InitProducerIdRequest::default()
            .with_transactional_id(transactional_id.map(|id| text(id).into()))
            .with_transaction_timeout_ms(timeout)
            .with_producer_id(ProducerId(current.producer_id))
            .with_producer_epoch(current.epoch);
        let what = format!("beginning producer {:?}", transactional_id.unwrap_or("without transactions"));
        let mut effect = Effect::new(self.shared.call(what));
        let code = |answer: &kafka_protocol::messages::InitProducerIdResponse| Refusal::check(answer.error_code, None);
        let answer = self.shared.effect_at(&mut effect, of.as_ref(), &request, true, code).await?;
        session(&effect, *answer.producer_id, answer.producer_epoch)
    }

    /// Ends the open transaction of a producer, and gives the session of its next one. Sent again after a
    /// lost connection: a coordinator that has done it answers as if for the first time.
    ///
    /// # Errors
    /// `Fenced` if another producer has taken the id, or the transaction was open for too long; `Conflict`
    /// with code `transaction-state` if there is nothing to commit; in doubt if no coordinator answered
    /// before the deadline: call again, or read what was written.
    ///
    /// # Cancel safety
    /// As in doubt.
    pub async fn end_transaction(
        &self,
        transactional_id: &str,
        session: ProducerSession,
        outcome: Outcome,
    ) -> Result<ProducerSession, Failure> {
        let id: Arc<str> = transactional_id.into();
        let request = EndTxnRequest::default()
            .with_transactional_id(text(&id).into())
            .with_producer_id(ProducerId(session.producer_id))
            .with_producer_epoch(session.epoch)
            .with_committed(outcome == Outcome::Commit);
        let what = format!("ending a transaction of {id} ({outcome:?})");
        let mut effect = Effect::new(self.shared.call(what));
        let of = CoordinatorOf::Transactions(id);
        let code = |answer: &kafka_protocol::messages::EndTxnResponse| Refusal::check(answer.error_code, None);
        let answer = self.shared.effect_at(&mut effect, Some(&of), &request, true, code).await?;
        self::session(&effect, *answer.producer_id, answer.producer_epoch)
    }
}

fn session(effect: &Effect<'_>, producer_id: i64, epoch: i16) -> Result<ProducerSession, Failure> {
    if producer_id < 0 || epoch < 0 {
        let error = Error::corrupt("unreadable-answer", format!("producer {producer_id} of epoch {epoch}"));
        return Err(Failure::in_doubt("unreadable-answer", effect.call.named(error).message()));
    }
    Ok(ProducerSession { producer_id, epoch })
}
