//! The serving side: which ports are offered, and the life of the listener.

mod appends;
mod connections;
mod effects;
mod events;
mod exchange;
mod guards;
mod operations;
mod page;
mod state;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::effects::Effects;
use self::exchange::Context;
use super::bearer::BearerKey;
use super::loopback;
use crate::clock::Clock;
use crate::error::Error;
use crate::ids::ResourceId;
use crate::ports::{Appends, EventSource, Sealable, StateStore};
use crate::signed::Keyring;

pub(super) use self::events::WAIT_MAX;
pub use self::operations::RemoteOperation;
pub(super) use self::operations::path_of;

/// How long a stopping server waits for requests and effects in flight, unless told otherwise.
const GRACE: Duration = Duration::from_secs(5);

/// Offers ports of this process to those who hold the key. What is not given is not offered.
#[derive(Debug)]
pub struct RemoteServer {
    key: BearerKey,
    clock: Arc<dyn Clock>,
    grace: Duration,
    state_store: Option<Arc<dyn StateStore>>,
    event_source: Option<Arc<dyn EventSource>>,
    appends: Option<Arc<dyn Appends>>,
    guards: Vec<(Arc<dyn Sealable>, Arc<Keyring>)>,
    operations: Vec<(String, Arc<dyn RemoteOperation>)>,
}

impl RemoteServer {
    /// A server that offers nothing yet.
    #[must_use]
    pub fn new(key: BearerKey, clock: Arc<dyn Clock>) -> Self {
        Self {
            key,
            clock,
            grace: GRACE,
            state_store: None,
            event_source: None,
            appends: None,
            guards: Vec::new(),
            operations: Vec::new(),
        }
    }

    /// How long a stopping server waits for what is in flight (5 s).
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Offers a state store.
    #[must_use]
    pub fn state_store(mut self, store: Arc<dyn StateStore>) -> Self {
        self.state_store = Some(store);
        self
    }

    /// Offers the reading half of an event store.
    #[must_use]
    pub fn event_source(mut self, source: Arc<dyn EventSource>) -> Self {
        self.event_source = Some(source);
        self
    }

    /// Offers the append endpoint of the region.
    #[must_use]
    pub fn appends(mut self, appends: Arc<dyn Appends>) -> Self {
        self.appends = Some(appends);
        self
    }

    /// Offers guards, by their resource; presented tokens are verified with these keys.
    #[must_use]
    pub fn guards(mut self, guards: impl IntoIterator<Item = Arc<dyn Sealable>>, keyring: Arc<Keyring>) -> Self {
        self.guards.extend(guards.into_iter().map(|guard| (guard, Arc::clone(&keyring))));
        self
    }

    /// Offers an operation of the service's own under a name (`a-z`, `0-9`, `-`, `/`).
    #[must_use]
    pub fn operation(mut self, name: impl Into<String>, operation: Arc<dyn RemoteOperation>) -> Self {
        self.operations.push((name.into(), operation));
        self
    }

    /// Serves until `stop` is cancelled, then finishes what is in flight, for at most the grace.
    ///
    /// # Errors
    /// `Refused` (`not-loopback`) if the listener is reachable from other machines; `Invalid` if two
    /// guards or operations share a name; `Stopped` (`effects-cut`) if the grace ended while effects
    /// were running: they are in doubt.
    ///
    /// # Cancel safety
    /// Dropped, all connections and effects are aborted: the effects are in doubt.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) -> Result<(), Error> {
        let address = listener
            .local_addr()
            .map_err(|cause| Error::stopped("no-listener", format!("the listener has no address: {cause}")))?;
        loopback::require(address)?;
        let effects = Effects::new();
        let context = Context::new(Arc::clone(&self.clock), effects.clone(), stop.clone());
        let grace = self.grace;
        let clock = Arc::clone(&self.clock);
        let router = self.router(&context)?;
        drop(context);
        connections::serve(listener, router, effects, clock, grace, stop).await
    }

    fn router(self, context: &Context) -> Result<Router, Error> {
        let mut router = Router::new();
        if let Some(store) = self.state_store {
            router = router.merge(state::routes(context, &store));
        }
        if let Some(source) = self.event_source {
            router = router.merge(events::routes(context, &source));
        }
        if let Some(appends) = self.appends {
            router = router.merge(appends::routes(context, &appends));
        }
        if !self.guards.is_empty() {
            router = router.merge(guards::routes(context, by_resource(self.guards)?));
        }
        router = router.merge(operations::routes(context, self.operations)?);
        Ok(exchange::guarded(context, router, self.key))
    }
}

type Guards = BTreeMap<ResourceId, (Arc<dyn Sealable>, Arc<Keyring>)>;

fn by_resource(guards: Vec<(Arc<dyn Sealable>, Arc<Keyring>)>) -> Result<Guards, Error> {
    let mut named = Guards::new();
    for (guard, keyring) in guards {
        let resource = guard.resource().clone();
        if named.insert(resource.clone(), (guard, keyring)).is_some() {
            return Err(Error::invalid("duplicate-guard", format!("two guards are offered for {resource}")));
        }
    }
    Ok(named)
}
