//! Which broker keeps a group's offsets or a producer's transactions.

use std::sync::Arc;

use kafka_protocol::messages::FindCoordinatorRequest;

use super::unanswered::Unanswered;
use super::{Call, Effect, Fault, Lane, Shared, lock};
use crate::error::{Error, Failure};
use crate::kafka::refusal::{Refusal, Step};
use crate::kafka::topic::BrokerAddress;
use crate::kafka::wire::{Spoken, text};

/// More coordinators are not remembered.
const REMEMBERED_MAX: usize = 10_000;

/// What is coordinated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CoordinatorOf {
    Group(Arc<str>),
    Transactions(Arc<str>),
}

impl Shared {
    /// The coordinator's address, asked for if it is not remembered. One attempt.
    async fn coordinator(&self, call: &Call<'_>, of: &CoordinatorOf) -> Result<BrokerAddress, Error> {
        let remembered = lock(&self.coordinators).get(of).cloned();
        if let Some(address) = remembered {
            return Ok(address);
        }
        let (kind, name) = match of {
            CoordinatorOf::Group(name) => (0, name),
            CoordinatorOf::Transactions(name) => (1, name),
        };
        let request = FindCoordinatorRequest::default().with_key_type(kind).with_coordinator_keys(vec![text(name)]);
        let connection = call.connect(&self.any(), Lane::Calls).await?;
        let answer = call.ask(&connection, &request).await.map_err(Fault::error)?;
        let found = answer.coordinators.into_iter().find(|found| *found.key == **name);
        let found = found.ok_or_else(|| Error::corrupt("unreadable-answer", "no coordinator in the answer"))?;
        Refusal::check(found.error_code, found.error_message.as_deref()).map_err(|no| no.error("the coordinator"))?;
        let port = u16::try_from(found.port).ok().filter(|port| *port > 0);
        let port = port.ok_or_else(|| Error::corrupt("unreadable-answer", "the coordinator has no port"))?;
        let address = BrokerAddress::new(&*found.host, port);
        let mut coordinators = lock(&self.coordinators);
        if coordinators.len() >= REMEMBERED_MAX {
            coordinators.clear();
        }
        coordinators.insert(of.clone(), address.clone());
        Ok(address)
    }

    fn forget_coordinator(&self, of: &CoordinatorOf) {
        lock(&self.coordinators).remove(of);
    }

    /// One attempt at the coordinator, or at any broker.
    async fn try_at<R: Spoken>(
        &self,
        call: &Call<'_>,
        of: Option<&CoordinatorOf>,
        request: &R,
    ) -> Result<R::Answer, Fault> {
        let unanswered = Unanswered::new(self, of);
        let tried = self.once_at(call, of, request).await;
        unanswered.disarm();
        tried
    }

    async fn once_at<R: Spoken>(
        &self,
        call: &Call<'_>,
        of: Option<&CoordinatorOf>,
        request: &R,
    ) -> Result<R::Answer, Fault> {
        let address = match of {
            Some(of) => self.coordinator(call, of).await.map_err(Fault::Unsent)?,
            None => self.any(),
        };
        let connection = call.connect(&address, Lane::Calls).await.map_err(Fault::Unsent)?;
        if matches!(of, Some(CoordinatorOf::Transactions(_))) {
            connection.versions().allow_transactions(connection.node()).map_err(Fault::Unsent)?;
        }
        call.ask(&connection, request).await
    }

    /// Reads at the coordinator, or at any broker, until it answers with code 0. `code` finds it in the
    /// answer.
    pub(crate) async fn read_at<R: Spoken>(
        &self,
        call: &mut Call<'_>,
        of: Option<&CoordinatorOf>,
        request: &R,
        code: impl Fn(&R::Answer) -> Result<(), Refusal> + Send,
    ) -> Result<R::Answer, Error> {
        loop {
            let error = match self.try_at(call, of, request).await {
                Ok(answer) => match code(&answer) {
                    Ok(()) => return Ok(answer),
                    Err(refusal) if refusal.step() == Step::Stop => return Err(call.named(refusal.error("the broker"))),
                    Err(refusal) => refusal.error("the broker"),
                },
                Err(fault) => fault.error(),
            };
            self.elsewhere(of);
            call.again(error).await?;
        }
    }

    /// Changes something at the coordinator, or at any broker. With `repeatable`, the same request again
    /// has the same effect once.
    pub(crate) async fn effect_at<R: Spoken>(
        &self,
        effect: &mut Effect<'_>,
        of: Option<&CoordinatorOf>,
        request: &R,
        repeatable: bool,
        code: impl Fn(&R::Answer) -> Result<(), Refusal> + Send,
    ) -> Result<R::Answer, Failure> {
        loop {
            match self.try_at(&effect.call, of, request).await {
                Ok(answer) => match code(&answer) {
                    Ok(()) => return Ok(answer),
                    Err(refusal) => {
                        if refusal.step() == Step::Relearn {
                            self.elsewhere(of);
                        }
                        effect.refused(&refusal, repeatable).await?;
                    }
                },
                Err(fault) => {
                    self.elsewhere(of);
                    effect.fault(fault, repeatable).await?;
                }
            }
        }
    }

    /// Where the next attempt goes.
    pub(super) fn elsewhere(&self, of: Option<&CoordinatorOf>) {
        if let Some(of) = of {
            self.forget_coordinator(of);
        }
        self.take_turn();
    }
}
