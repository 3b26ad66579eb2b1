//! Takes connections and joins each with one to the server.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::now::Now;
use super::pump::Pump;
use super::schedule::Schedule;
use super::{Conditions, Direction};

/// Connections at a time; the next one waits in the listener's queue.
const CONNECTIONS_MAX: usize = 4096;

/// What the thread with the proxy's handle and the thread with its sockets share.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) connections: AtomicU64,
    pub(super) open: AtomicU64,
    pub(super) bytes: [AtomicU64; 2],
}

/// What is asked of the connections.
#[derive(Debug, Clone)]
pub(super) struct Orders {
    pub(super) conditions: watch::Receiver<[Conditions; 2]>,
    /// Grows with each order to reset.
    pub(super) resets: watch::Receiver<u64>,
    pub(super) refuse: watch::Receiver<bool>,
}

/// Serves until the one who gives orders is gone.
pub(super) async fn serve(listener: TcpListener, server: SocketAddr, seed: u64, orders: Orders, counts: Arc<Counts>) {
    let now = Now::start();
    let mut gone = orders.refuse.clone();
    let mut connections = JoinSet::new();
    loop {
        let client = tokio::select! {
            biased;
            () = over(&mut gone) => return,
            Some(_ended) = connections.join_next() => continue,
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => accepted,
        };
        let Ok((client, _)) = client else { continue };
        if *orders.refuse.borrow() {
            let _gone = client.set_zero_linger();
            continue;
        }
        let open = Open::new(&counts);
        let number = counts.connections.fetch_add(1, Ordering::Relaxed);
        connections.spawn(connection(client, server, (seed, number, now), orders.clone(), open));
    }
}

async fn over(orders: &mut watch::Receiver<bool>) {
    while orders.changed().await.is_ok() {}
}

/// Counts a connection as open for as long as it is held.
struct Open(Arc<Counts>);

impl Open {
    fn new(counts: &Arc<Counts>) -> Self {
        counts.open.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(counts))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn connection(
    mut client: TcpStream,
    server: SocketAddr,
    (seed, number, now): (u64, u64, Now),
    mut orders: Orders,
    open: Open,
) {
    orders.resets.mark_unchanged();
    let counts = &open.0;
    let Ok(mut server) = TcpStream::connect(server).await else {
        let _gone = client.set_zero_linger();
        return;
    };
    // Small pieces are not to wait for each other: what delays them is asked for.
    let _best = client.set_nodelay(true).and(server.set_nodelay(true));
    let pump = |direction: Direction| Pump {
        direction,
        conditions: orders.conditions.clone(),
        schedule: Schedule::new(seed, number, direction.index()),
        now,
        carried: &counts.bytes[direction.index()],
    };
    let (there, back) = (pump(Direction::ToServer), pump(Direction::ToClient));
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let ended: io::Result<()> = tokio::select! {
        biased;
        _ = orders.resets.changed() => Err(io::ErrorKind::ConnectionReset.into()),
        ended = async { tokio::try_join!(there.carry(from_client, to_server), back.carry(from_server, to_client)) } =>
            ended.map(|((), ())| ()),
    };
    if ended.is_err() {
        // Closed without a word, as after a power cut, instead of with an orderly end.
        let _gone = client.set_zero_linger().and(server.set_zero_linger());
    }
}
