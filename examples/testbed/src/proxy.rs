//! A TCP proxy that delays, narrows, stalls and resets connections, one direction at a time, by a seed.

mod accept;
mod now;
mod pump;
mod schedule;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

pub use dcp_core::testing::faults::{Conditions, Direction};
use tokio::sync::watch;

use crate::error::Error;
use accept::{Counts, Orders};

/// What a proxy has carried so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Connections that it took.
    pub connections: u64,
    /// Bytes that arrived at the server.
    pub to_server: u64,
    /// Bytes that arrived at clients.
    pub to_client: u64,
}

/// A proxy in front of a server. It runs on a thread of its own; letting go of it closes all.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    orders: Option<Given>,
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Given {
    conditions: watch::Sender<[Conditions; 2]>,
    resets: watch::Sender<u64>,
    refuse: watch::Sender<bool>,
}

impl Proxy {
    /// Listens at `at`, or at any free port, and carries to `server`. The jitter of a connection's pieces
    /// depends on the seed, the connection's number and the direction only.
    ///
    /// # Errors
    /// [`Error::Io`] if the address is taken.
    pub fn start(server: SocketAddr, at: Option<SocketAddr>, seed: u64) -> Result<Self, Error> {
        let at = at.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into());
        let listener = TcpListener::bind(at).map_err(Error::io(format!("listen at {at}")))?;
        listener.set_nonblocking(true).map_err(Error::io("listen"))?;
        let address = listener.local_addr().map_err(Error::io("listen"))?;
        let (conditions, heard) = watch::channel([Conditions::default(); 2]);
        let (resets, resets_heard) = watch::channel(0);
        let (refuse, refuse_heard) = watch::channel(false);
        let orders = Orders { conditions: heard, resets: resets_heard, refuse: refuse_heard };
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Error::io("start a proxy"))?;
        let thread = std::thread::spawn(move || {
            runtime.block_on(async move {
                if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
                    accept::serve(listener, server, seed, orders, shared).await;
                }
            });
        });
        let given = Given { conditions, resets, refuse };
        Ok(Self { address, orders: Some(given), counts, thread: Some(thread) })
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, on open connections too. Replaces what was set for that direction.
    pub fn set(&self, direction: Direction, conditions: Conditions) {
        self.order(|given| given.conditions.send_modify(|both| both[direction.index()] = conditions));
    }

    /// Takes everything back that was set; what was stalled arrives.
    pub fn heal(&self) {
        self.refuse(false);
        self.order(|given| given.conditions.send_modify(|both| *both = [Conditions::default(); 2]));
    }

    /// Resets every open connection, on both sides; answers how many there were.
    pub fn reset(&self) -> u64 {
        let open = self.counts.open.load(Ordering::SeqCst);
        self.order(|given| given.resets.send_modify(|resets| *resets += 1));
        open
    }

    /// Resets every connection as soon as it is made.
    pub fn refuse(&self, refuse: bool) {
        self.order(|given| {
            given.refuse.send_replace(refuse);
        });
    }

    /// What it has carried: zero bytes under a fault mean that the fault hit nothing.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let [to_server, to_client] = &self.counts.bytes;
        Traffic {
            connections: self.counts.connections.load(Ordering::Relaxed),
            to_server: to_server.load(Ordering::Relaxed),
            to_client: to_client.load(Ordering::Relaxed),
        }
    }

    fn order(&self, order: impl FnOnce(&Given)) {
        if let Some(given) = &self.orders {
            order(given);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Without anybody to give orders the thread ends.
        drop(self.orders.take());
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests;
