//! Connections by broker and lane, opened when they are needed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::connection::Connection;
use super::dial::dial;
use crate::clock::{Clock, Entropy, Moment};
use crate::error::Error;
use crate::kafka::settings::KafkaSettings;
use crate::kafka::topic::BrokerAddress;

/// Brokers answer one connection in order, so what may wait long has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    /// What is answered at once.
    Calls,
    /// Records on their way in: those of one producer are in one lane, and so in order.
    Produce(u8),
    /// One reader's long polls.
    Fetch(u64),
}

/// Places are forgotten when there are more than this and nobody uses them.
const PLACES_MAX: usize = 256;

type Place = Arc<tokio::sync::Mutex<Option<Arc<Connection>>>>;

#[derive(Debug)]
pub(crate) struct Pool {
    settings: Arc<KafkaSettings>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    places: Mutex<BTreeMap<(BrokerAddress, Lane), Place>>,
}

impl Pool {
    pub(crate) fn new(settings: Arc<KafkaSettings>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { settings, clock, entropy, places: Mutex::default() }
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<(BrokerAddress, Lane), Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, address: &BrokerAddress, lane: Lane) -> Place {
        let mut places = self.places();
        if places.len() >= PLACES_MAX {
            places.retain(|_, place| {
                Arc::strong_count(place) > 1
                    || place.try_lock().is_ok_and(|found| found.as_ref().is_some_and(|open| open.is_usable()))
            });
        }
        Arc::clone(places.entry((address.clone(), lane)).or_default())
    }

    /// An open connection. One caller opens it, others that want the same wait for that.
    pub(crate) async fn get(
        &self,
        address: &BrokerAddress,
        lane: Lane,
        until: Moment,
    ) -> Result<Arc<Connection>, Error> {
        let place = self.place(address, lane);
        let mut found = tokio::select! {
            biased;
            found = place.lock() => found,
            () = self.clock.sleep_until(until) => {
                return Err(Error::retry("unreachable", format!("broker {address} was not reached in time")));
            }
        };
        if let Some(open) = found.as_ref().filter(|open| open.is_usable()) {
            return Ok(Arc::clone(open));
        }
        if let Some(old) = found.take() {
            old.retire();
        }
        let opened = Arc::new(dial(address, &self.settings, &self.clock, &*self.entropy, until).await?);
        *found = Some(Arc::clone(&opened));
        Ok(opened)
    }

    /// Closes the connections of a lane.
    pub(crate) fn forget(&self, lane: Lane) {
        self.places().retain(|(_, other), _| *other != lane);
    }
}
