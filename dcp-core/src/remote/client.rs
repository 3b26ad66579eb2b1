//! The asking side: one endpoint, and the ports behind it.

mod appends;
mod connection;
mod deadlines;
mod event_source;
mod guard;
mod outcome;
mod pool;
mod state_store;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Request, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::connection::{Answered, Body};
use self::outcome::Lost;
use self::pool::Pool;
use super::bearer::BearerKey;
use super::loopback;
use super::server::path_of;
use super::wire::messages::SMALL;
use super::wire::{self, Answer, MEDIA_TYPE, OPERATION_PAYLOAD_MAX_BYTES};
use crate::clock::Clock;
use crate::error::{Error, Failure};

pub use self::appends::RemoteAppends;
pub use self::deadlines::Deadlines;
pub use self::event_source::RemoteEventSource;
pub use self::guard::RemoteGuard;
pub use self::state_store::RemoteStateStore;

/// One server as its clients see it: address, key, deadlines, connections. Cheap to clone; clones
/// share the connections, of which at most 256 are in use at one time.
#[derive(Clone)]
pub struct RemoteEndpoint(Arc<Inner>);

struct Inner {
    address: SocketAddr,
    host: HeaderValue,
    authorization: HeaderValue,
    deadlines: Deadlines,
    clock: Arc<dyn Clock>,
    pool: Pool,
}

impl fmt::Debug for RemoteEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteEndpoint").field("address", &self.0.address).finish_non_exhaustive()
    }
}

impl RemoteEndpoint {
    /// An endpoint; connects when it is first asked. Deadlines count on this clock, which should
    /// count suspend where leases matter.
    ///
    /// # Errors
    /// `Refused` (`not-loopback`) for an address of another machine: there is no encryption.
    pub fn new(
        address: SocketAddr,
        key: &BearerKey,
        deadlines: Deadlines,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        loopback::require(address)?;
        let value = |text: String| {
            HeaderValue::from_str(&text).map_err(|cause| Error::invalid("bad-header", format!("{address}: {cause}")))
        };
        let host = value(address.to_string())?;
        let mut authorization = value(key.header())?;
        authorization.set_sensitive(true);
        Ok(Self(Arc::new(Inner { address, host, authorization, deadlines, clock, pool: Pool::new(address) })))
    }

    /// The server's address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// The deadlines of its calls.
    #[must_use]
    pub fn deadlines(&self) -> &Deadlines {
        &self.0.deadlines
    }

    /// Calls an operation that the service offers beside the ports.
    ///
    /// # Errors
    /// What the operation answered; `NotApplied(Retry)` if nothing was sent; `NotApplied(Refused)`
    /// (`wrong-key`); `NotApplied(Invalid)` for a body above [`OPERATION_PAYLOAD_MAX_BYTES`];
    /// `InDoubt` for anything that went wrong once the request may have left.
    ///
    /// # Cancel safety
    /// Not cancel safe: a dropped call is in doubt.
    pub async fn call(&self, operation: &str, body: Bytes, deadline: Duration) -> Result<Bytes, Failure> {
        let path = path_of(operation).map_err(Failure::NotApplied)?;
        if body.len() > OPERATION_PAYLOAD_MAX_BYTES {
            let sentence = format!("{} bytes for {operation}: at most {OPERATION_PAYLOAD_MAX_BYTES}", body.len());
            return Err(Failure::NotApplied(Error::invalid("body-too-large", sentence)));
        }
        self.effect(&path, &body, SMALL + body.len(), deadline).await
    }

    /// Asks a read.
    async fn ask<Q: Serialize + ?Sized + Sync, A: DeserializeOwned>(
        &self,
        path: &str,
        question: &Q,
        capacity: usize,
        deadline: Duration,
    ) -> Result<A, Error> {
        let body = wire::encode(question, capacity)?;
        let answer = self.exchange(path, body, deadline).await.map_err(|lost| lost.of_read(self.place(path)))?;
        match wire::decode::<Answer<A>>(&answer.body) {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(Failure::NotApplied(error))) => Err(self.named(&answer, error)),
            Ok(Err(Failure::InDoubt(doubt))) => {
                Err(Lost::Unreadable(format!("a read was answered with {doubt}")).of_read(self.place(path)))
            }
            Err(cause) => Err(Lost::Unreadable(cause.to_string()).of_read(self.place(path))),
        }
    }

    /// Asks for an effect.
    async fn effect<Q: Serialize + ?Sized + Sync, A: DeserializeOwned>(
        &self,
        path: &str,
        question: &Q,
        capacity: usize,
        deadline: Duration,
    ) -> Result<A, Failure> {
        let body = wire::encode(question, capacity).map_err(Failure::NotApplied)?;
        let answer = self.exchange(path, body, deadline).await.map_err(|lost| lost.of_effect(self.place(path)))?;
        match wire::decode::<Answer<A>>(&answer.body) {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(Failure::NotApplied(error))) => Err(Failure::NotApplied(self.named(&answer, error))),
            Ok(Err(doubt)) => Err(doubt),
            Err(cause) => Err(Lost::Unreadable(cause.to_string()).of_effect(self.place(path))),
        }
    }

    // Errors travel as they are; only a wrong key is a matter of this endpoint, so it is named.
    fn named(&self, answer: &Answered, error: Error) -> Error {
        if answer.status == StatusCode::UNAUTHORIZED { error.at(self.0.address) } else { error }
    }

    fn place(&self, path: &str) -> String {
        format!("http://{}{path}", self.0.address)
    }

    /// Sends one request. An answer counts only within the deadline, on a clock that is read again
    /// after it has arrived: a process that was paused meanwhile finds both the answer and the
    /// deadline, and must not count the answer.
    async fn exchange(&self, path: &str, body: Bytes, deadline: Duration) -> Result<Answered, Lost> {
        let Inner { clock, pool, .. } = &*self.0;
        let request = self.request(path, body)?;
        let until = clock.now().after(deadline);
        // Set before the request is handed to a connection: from then on bytes may have left.
        let handed = AtomicBool::new(false);
        let late = || match handed.load(Ordering::Relaxed) {
            true => Lost::Unknown(format!("no answer within {deadline:?}")),
            false => Lost::NotSent(format!("no connection within {deadline:?}")),
        };
        let answered = tokio::select! {
            biased;
            () = clock.sleep_until(until) => return Err(late()),
            answered = Box::pin(pool.send(request, clock.as_ref(), self.0.deadlines.connect(), &handed)) => answered?,
        };
        if clock.now() > until { Err(late()) } else { Ok(answered) }
    }

    fn request(&self, path: &str, body: Bytes) -> Result<Request<Body>, Lost> {
        Request::post(path)
            .header(HOST, self.0.host.clone())
            .header(AUTHORIZATION, self.0.authorization.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE))
            .body(Body::new(body))
            .map_err(|cause| Lost::NotSent(format!("unwritable request: {cause}")))
    }
}
