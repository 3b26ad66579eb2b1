//! One call: its deadline, its attempts and the pauses between them.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use super::connection::{Connection, Fault};
use super::pool::Lane;
use crate::clock::Moment;
use crate::error::{Error, ErrorKind};
use crate::kafka::pause::pause;
use crate::kafka::topic::BrokerAddress;
use crate::kafka::wire::{Segments, Spoken, decode, encode};

/// A call under way.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    shared: &'a Shared,
    what: String,
    ends: Moment,
    // What a broker may take for one request beside its deadline: a long poll's wait.
    waits: Duration,
    failed: u32,
}

impl Shared {
    pub(crate) fn call(&self, what: impl Into<String>) -> Call<'_> {
        let ends = self.clock.now().after(self.settings.deadline);
        Call { shared: self, what: what.into(), ends, waits: Duration::ZERO, failed: 0 }
    }
}

impl<'a> Call<'a> {
    /// With a wait that the broker is asked for.
    pub(crate) fn waiting(mut self, wait: Duration) -> Self {
        self.waits = wait;
        self.ends = self.ends.after(wait);
        self
    }

    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// How many attempts have failed.
    pub(crate) fn failed(&self) -> u32 {
        self.failed
    }

    /// Until when one request may take.
    pub(crate) fn request_ends(&self) -> Moment {
        self.request_due().min(self.ends)
    }

    /// How many milliseconds a broker may take by itself before it answers.
    pub(crate) fn broker_timeout(&self) -> i32 {
        let left = self.request_ends().since(self.shared.clock.now());
        i32::try_from(left.as_millis() * 3 / 4).unwrap_or(i32::MAX).max(1)
    }

    fn request_due(&self) -> Moment {
        self.shared.clock.now().after(self.shared.settings.request_deadline).after(self.waits)
    }

    /// Pauses before another attempt.
    ///
    /// # Errors
    /// `why`, if it is no `Retry` or there is no time for another attempt.
    pub(crate) async fn again(&mut self, why: Error) -> Result<(), Error> {
        if why.kind() != ErrorKind::Retry {
            return Err(self.named(why));
        }
        self.failed += 1;
        let settings = &self.shared.settings;
        let pause = pause(settings.pause_min, settings.pause_max, self.failed, self.shared.entropy.draw());
        let until = self.shared.clock.now().after(pause);
        if until >= self.ends {
            let failed = self.failed;
            return Err(self.named(why).at(format_args!("attempt {failed}, no time for another")));
        }
        tracing::debug!(what = self.what, %why, ?pause, "trying again");
        self.shared.clock.sleep_until(until).await;
        Ok(())
    }

    /// An error with what was being done before it.
    pub(crate) fn named(&self, error: Error) -> Error {
        error.at(&self.what)
    }

    pub(crate) async fn connect(&self, address: &BrokerAddress, lane: Lane) -> Result<Arc<Connection>, Error> {
        self.shared.pool.get(address, lane, self.request_ends()).await
    }

    /// Asks once.
    pub(crate) async fn ask<R: Spoken>(&self, connection: &Connection, request: &R) -> Result<R::Answer, Fault> {
        self.ask_with::<R>(connection, |correlation, client| encode(correlation, client, request)).await
    }

    /// Asks once, with the request's bytes made by `encode`.
    pub(crate) async fn ask_with<R: Spoken>(
        &self,
        connection: &Connection,
        encode: impl FnOnce(i32, &str) -> Result<Segments, Error>,
    ) -> Result<R::Answer, Fault> {
        connection.versions().allow(R::API, connection.node()).map_err(Fault::Unsent)?;
        let correlation = connection.correlation();
        let segments = encode(correlation, &self.shared.settings.client_id).map_err(Fault::Unsent)?;
        let frame = connection.exchange(correlation, segments, self.request_due(), self.request_ends()).await?;
        let answer = decode::<R>(frame).map_err(|error| {
            connection.close(&error);
            Fault::Unanswered(error.at(connection.node()))
        })?;
        connection.mute(R::throttle(&answer));
        Ok(answer)
    }
}
