//! The client: connections, what is known of the cluster, and attempts until a deadline.

mod authenticate;
mod call;
mod connection;
mod coordinators;
mod dial;
mod effect;
mod leaders;
mod metadata;
mod pool;
mod together;
mod unanswered;
mod versions;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(super) use call::Call;
pub(super) use connection::Fault;
pub(super) use coordinators::CoordinatorOf;
pub(super) use effect::Effect;
pub(super) use leaders::{LOOKS_MAX, PartitionRead, grouped};
pub(super) use pool::Lane;
pub(super) use together::together;
pub(super) use versions::Versions;

use super::settings::KafkaSettings;
use super::topic::BrokerAddress;
use crate::clock::{Clock, Entropy};
use crate::error::Error;
use metadata::Known;
use pool::Pool;

/// A client of one cluster. Clones share its connections, which end with the last clone.
#[derive(Debug, Clone)]
pub struct KafkaClient {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Arc<KafkaSettings>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) pool: Pool,
    pub(super) lanes: AtomicU64,
    entropy: Arc<dyn Entropy>,
    bootstrap: Vec<BrokerAddress>,
    known: Mutex<Arc<Known>>,
    coordinators: Mutex<BTreeMap<CoordinatorOf, BrokerAddress>>,
    turn: AtomicU64,
}

impl KafkaClient {
    /// A client of the same cluster with connections of its own: brokers answer one connection in order,
    /// so that whoever may wait long, as a transaction does for the one before it, holds nobody up.
    ///
    /// # Errors
    /// As [`KafkaClient::new`].
    pub fn apart(&self) -> Result<Self, Error> {
        let shared = &self.shared;
        Self::new((*shared.settings).clone(), Arc::clone(&shared.clock), Arc::clone(&shared.entropy))
    }

    /// The same with requests that take at most so long, and no longer than this client's.
    pub(crate) fn apart_within(&self, request_deadline: Duration) -> Result<Self, Error> {
        let shared = &self.shared;
        let mut settings = (*shared.settings).clone();
        settings.request_deadline = settings.request_deadline.min(request_deadline);
        Self::new(settings, Arc::clone(&shared.clock), Arc::clone(&shared.entropy))
    }

    /// A client. It connects when it is first asked for something.
    ///
    /// # Errors
    /// `Invalid` if the settings name no broker or a bound that cannot work.
    pub fn new(settings: KafkaSettings, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Result<Self, Error> {
        let bootstrap = settings.check()?;
        let settings = Arc::new(settings);
        let pool = Pool::new(Arc::clone(&settings), Arc::clone(&clock), Arc::clone(&entropy));
        Ok(Self {
            shared: Arc::new(Shared {
                settings,
                clock,
                pool,
                lanes: AtomicU64::new(1),
                entropy,
                bootstrap,
                known: Mutex::default(),
                coordinators: Mutex::default(),
                turn: AtomicU64::new(0),
            }),
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{SeededEntropy, TokioClock};

    #[test]
    fn a_shorter_request_deadline_counts() {
        let second = Duration::from_secs;
        let settings = KafkaSettings::new(["a:1"]).with_request_deadline(second(4));
        let client =
            KafkaClient::new(settings, Arc::new(TokioClock::default()), Arc::new(SeededEntropy::new(1, "client")))
                .unwrap();
        let within = |most| client.apart_within(most).unwrap().shared.settings.request_deadline;
        assert_eq!([second(3), second(5)].map(within), [second(3), second(4)]);
    }
}
