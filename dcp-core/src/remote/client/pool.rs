//! Connections to one address, kept for the next call.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::Request;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::connection::{Answered, Body, Connection, Unanswered};
use super::outcome::Lost;
use crate::clock::{Clock, Moment};

/// Most connections in use at one time; further calls wait, unsent, within their deadline.
const USED_MAX: usize = 256;
/// Most connections kept.
const KEPT_MAX: usize = 32;
/// How long a connection is kept unused: well below the time after which a server closes it.
const KEPT_FOR: Duration = Duration::from_secs(15);

pub(super) struct Pool {
    address: SocketAddr,
    places: Semaphore,
    // The one used last is at the end and is used next.
    kept: Mutex<Vec<(Moment, Connection)>>,
}

impl Pool {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, places: Semaphore::new(USED_MAX), kept: Mutex::default() }
    }

    /// Sends one request once. `handed` is true from the moment on at which bytes may have left.
    pub(super) async fn send(
        &self,
        mut request: Request<Body>,
        clock: &dyn Clock,
        connect: Duration,
        handed: &AtomicBool,
    ) -> Result<Answered, Lost> {
        let _place = self.places.acquire().await.map_err(|_| Lost::NotSent("the endpoint is closed".to_owned()))?;
        loop {
            let (connection, fresh) = match self.take(clock.now()) {
                Some(mut kept) => {
                    if !kept.usable().await {
                        continue;
                    }
                    (kept, false)
                }
                None => (self.connect(clock, connect).await?, true),
            };
            handed.store(true, Ordering::Relaxed);
            let (connection, answered) = connection.send(request).await;
            if let Some(connection) = connection {
                self.keep(clock.now(), connection);
            }
            match answered {
                Ok(answered) => return Ok(answered),
                Err(Unanswered::Lost(lost)) => return Err(lost),
                // Nothing of it was written, so that another connection may have it.
                Err(Unanswered::Unsent(unsent, _)) if !fresh => request = *unsent,
                Err(Unanswered::Unsent(_, cause)) => return Err(Lost::NotSent(cause)),
            }
            handed.store(false, Ordering::Relaxed);
        }
    }

    async fn connect(&self, clock: &dyn Clock, deadline: Duration) -> Result<Connection, Lost> {
        let connecting = async {
            let stream = TcpStream::connect(self.address).await.map_err(|cause| cause.to_string())?;
            let mut connection = Connection::over(stream).await?;
            if connection.usable().await { Ok(connection) } else { Err("closed at once".to_owned()) }
        };
        let connected = tokio::select! {
            biased;
            connected = connecting => connected,
            () = clock.sleep(deadline) => Err(format!("no connection within {deadline:?}")),
        };
        connected.map_err(|cause| Lost::NotSent(format!("cannot connect: {cause}")))
    }

    fn take(&self, now: Moment) -> Option<Connection> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(since, _)| now.since(*since) < KEPT_FOR);
        kept.pop().map(|(_, connection)| connection)
    }

    fn keep(&self, now: Moment, connection: Connection) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_MAX {
            kept.push((now, connection));
        }
    }
}
