//! Accepting, and letting go within the grace.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::effects::Effects;
use crate::clock::Clock;
use crate::error::Error;

/// Most connections at one time; further ones wait in the listener's own queue.
const CONNECTIONS_MAX: usize = 512;
/// How long a connection may take to send a request's head, or be idle: well above the clients'
/// own idle time, so that a client hardly ever sends into a connection that is being closed.
const HEAD_WAIT: Duration = Duration::from_secs(60);
/// How long a connection may take to send the key for the first time: whoever does not have it must
/// not hold the places of those who do.
const KEY_WAIT: Duration = Duration::from_secs(5);
/// How long to wait after a failed accept (most often: no free file descriptor).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    effects: Effects,
    clock: Arc<dyn Clock>,
    grace: Duration,
    stop: CancellationToken,
) -> Result<(), Error> {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = connections.join_next(), if !connections.is_empty() => note(ended),
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, router.clone(), Arc::clone(&clock), stop.clone()));
                }
                Err(cause) => {
                    tracing::warn!(%cause, "a connection could not be accepted");
                    clock.sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    // From here on new connections are refused, so that clients know at once that nothing was sent.
    drop(listener);
    let mut over = pin!(clock.sleep(grace));
    let mut in_time = drained(&mut connections, over.as_mut()).await;
    if !in_time {
        tracing::warn!(connections = connections.len(), "the grace ended before the last connection");
    }
    connections.shutdown().await;
    let mut running = effects.take();
    in_time = in_time && drained(&mut running, over).await;
    let cut = running.len();
    running.shutdown().await;
    if in_time || cut == 0 { Ok(()) } else { Err(effects_cut(cut, grace)) }
}

/// Waits for all tasks; false if the time was over first.
async fn drained(tasks: &mut JoinSet<()>, mut over: Pin<&mut impl Future<Output = ()>>) -> bool {
    while !tasks.is_empty() {
        tokio::select! {
            biased;
            Some(ended) = tasks.join_next() => note(ended),
            () = over.as_mut() => return false,
        }
    }
    true
}

fn effects_cut(cut: usize, grace: Duration) -> Error {
    Error::stopped(
        "effects-cut",
        format!("{cut} effects were still running {grace:?} after the stop and were cut: they are in doubt"),
    )
}

/// Whether the key was shown on a connection.
#[derive(Debug, Clone, Default)]
pub(super) struct KeyShown(Arc<AtomicBool>);

impl KeyShown {
    pub(super) fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_noted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

async fn connection(stream: TcpStream, router: Router, clock: Arc<dyn Clock>, stop: CancellationToken) {
    if let Err(cause) = stream.set_nodelay(true) {
        tracing::debug!(%cause, "a connection ended before it began");
        return;
    }
    let key = KeyShown::default();
    let service = TowerToHyperService::new(router.layer(Extension(key.clone())));
    let mut protocol = http1::Builder::new();
    protocol.timer(TokioTimer::new()).header_read_timeout(HEAD_WAIT);
    let mut served = pin!(protocol.serve_connection(TokioIo::new(stream), service));
    let mut late = pin!(clock.sleep(KEY_WAIT));
    let mut waiting = true;
    let ended = loop {
        tokio::select! {
            biased;
            ended = served.as_mut() => break ended,
            () = stop.cancelled() => {
                served.as_mut().graceful_shutdown();
                break served.await;
            }
            () = late.as_mut(), if waiting => {
                if !key.is_noted() {
                    tracing::debug!("a connection was closed: it has not shown the key within {KEY_WAIT:?}");
                    return;
                }
                waiting = false;
            }
        }
    };
    if let Err(cause) = ended {
        tracing::debug!(%cause, "a connection broke");
    }
}

fn note(ended: Result<(), JoinError>) {
    if let Err(cause) = ended
        && cause.is_panic()
    {
        tracing::error!(%cause, "a connection panicked");
    }
}
