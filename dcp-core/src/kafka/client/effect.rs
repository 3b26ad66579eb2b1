//! A call that changes something: whether it may have happened is never lost.

use super::Call;
use super::connection::Fault;
use crate::error::{Error, Failure};
use crate::kafka::refusal::Refusal;

/// A call whose earlier attempts may have had their effect.
#[derive(Debug)]
pub(crate) struct Effect<'a> {
    pub(crate) call: Call<'a>,
    doubt: Option<Error>,
}

impl<'a> Effect<'a> {
    pub(crate) fn new(call: Call<'a>) -> Self {
        Self { call, doubt: None }
    }

    /// It cannot be done: certainly not, unless an attempt before may have done it.
    pub(crate) fn failed(&self, error: Error) -> Failure {
        let error = self.call.named(error);
        match &self.doubt {
            None => Failure::NotApplied(error),
            Some(doubt) => in_doubt(error, doubt),
        }
    }

    /// Another attempt, which nothing of the one before can follow.
    pub(crate) async fn again(&mut self, error: Error) -> Result<(), Failure> {
        match self.call.again(error).await {
            Ok(()) => Ok(()),
            Err(error) => Err(match &self.doubt {
                None => Failure::NotApplied(error),
                Some(doubt) => in_doubt(error, doubt),
            }),
        }
    }

    /// An attempt had no answer. With `repeatable`, another one of the same request has the same effect.
    pub(crate) async fn fault(&mut self, fault: Fault, repeatable: bool) -> Result<(), Failure> {
        match fault {
            Fault::Unsent(error) => self.again(error).await,
            Fault::Unanswered(error) => {
                self.doubt = Some(error.clone());
                if repeatable { self.again(error).await } else { Err(self.failed(error)) }
            }
        }
    }

    /// An attempt was answered by a code that another attempt may get past.
    pub(crate) async fn refused(&mut self, refusal: &Refusal, repeatable: bool) -> Result<(), Failure> {
        let error = refusal.error("the broker");
        if !refusal.is_certain() {
            self.doubt = Some(error.clone());
            if !repeatable || refusal.step() == crate::kafka::refusal::Step::Stop {
                return Err(self.failed(error));
            }
        }
        self.again(error).await
    }
}

/// The last error's code, and why an attempt before it may have had its effect.
fn in_doubt(error: Error, doubt: &Error) -> Failure {
    Failure::InDoubt(error.after_doubt(doubt))
}
