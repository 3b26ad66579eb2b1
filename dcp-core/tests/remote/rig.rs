//! A server on a free port, and clients of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dcp_core::Error;
use dcp_core::clock::{Clock, TokioClock};
use dcp_core::remote::{BearerKey, Deadlines, RemoteEndpoint, RemoteServer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Long enough that no test runs into it by chance.
pub(crate) const AMPLE: Duration = Duration::from_secs(10);

pub(crate) fn key() -> BearerKey {
    BearerKey::from_bytes(&[7; 32])
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(TokioClock::new())
}

pub(crate) fn server() -> RemoteServer {
    RemoteServer::new(key(), clock())
}

/// A server that runs until it is stopped or dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    task: JoinSet<Result<(), Error>>,
}

pub(crate) async fn start(server: RemoteServer) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let mut task = JoinSet::new();
    task.spawn(server.serve(listener, stop.clone()));
    Running { address, stop, task }
}

impl Running {
    /// Waits for the end of the server.
    pub(crate) async fn ended(&mut self) -> Result<(), Error> {
        self.task.join_next().await.unwrap().unwrap()
    }

    /// Ends the server as a crash does: nothing is finished.
    pub(crate) async fn kill(&mut self) {
        self.task.shutdown().await;
    }

    pub(crate) async fn stopped(mut self) -> Result<(), Error> {
        self.stop.cancel();
        self.ended().await
    }
}

pub(crate) fn endpoint(address: SocketAddr) -> RemoteEndpoint {
    endpoint_within(address, AMPLE)
}

pub(crate) fn endpoint_within(address: SocketAddr, deadline: Duration) -> RemoteEndpoint {
    RemoteEndpoint::new(address, &key(), Deadlines::new(deadline), clock()).unwrap()
}
