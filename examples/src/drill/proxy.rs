//! Wires between processes that the drill can cut, one direction at a time.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use dcp_core::Error;
use dcp_core::tasks::TaskGroup;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const BUFFER_BYTES: usize = 64 << 10;
// Connections of one wire at a time; a client that leaks them is told by a refused connection.
const CONNECTIONS_MAX: usize = 512;

/// Where a wire leads, and which directions pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wiring {
    target: Option<SocketAddr>,
    // From the client to the server, and back.
    requests: bool,
    answers: bool,
    // Rises when the wire is mended or leads elsewhere: older connections are closed then.
    generation: u64,
}

/// One wire: a listening port that leads to another process.
#[derive(Debug, Clone)]
pub struct Wire {
    name: String,
    listen: SocketAddr,
    wiring: Arc<watch::Sender<Wiring>>,
}

impl Wire {
    /// Lays a wire that leads nowhere yet; its task runs in `group`.
    ///
    /// # Errors
    /// `Stopped` if no port can be had.
    pub async fn lay(name: &str, group: &mut TaskGroup) -> Result<Self, Error> {
        Self::lay_at(name, Ipv4Addr::LOCALHOST.into(), group).await
    }

    /// The same, listening at an address of the machine's.
    ///
    /// # Errors
    /// `Stopped` if no port can be had there.
    pub async fn lay_at(name: &str, address: IpAddr, group: &mut TaskGroup) -> Result<Self, Error> {
        let failed = |cause: std::io::Error| Error::stopped("no-port", format!("wire {name}: {cause}"));
        let listener = TcpListener::bind((address, 0)).await.map_err(failed)?;
        let listen = listener.local_addr().map_err(failed)?;
        let (wiring, _) = watch::channel(Wiring { target: None, requests: true, answers: true, generation: 0 });
        let wire = Self { name: name.to_owned(), listen, wiring: Arc::new(wiring) };
        let (accepting, stop) = (wire.clone(), group.stop_token());
        group.spawn(format!("wire {name}"), async move { accepting.accept(listener, stop).await });
        Ok(wire)
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listen
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Leads the wire to a process.
    pub fn lead_to(&self, target: SocketAddr) {
        self.wiring.send_modify(|wiring| {
            wiring.target = Some(target);
            wiring.generation += 1;
        });
    }

    /// Cuts what goes from client to server.
    pub fn cut_requests(&self) {
        self.wiring.send_modify(|wiring| wiring.requests = false);
    }

    /// Cuts what comes back.
    pub fn cut_answers(&self) {
        self.wiring.send_modify(|wiring| wiring.answers = false);
    }

    /// Cuts both directions.
    pub fn cut(&self) {
        self.cut_requests();
        self.cut_answers();
    }

    /// Mends both directions. Connections that were cut do not come back to life: what they held
    /// could be days old.
    pub fn mend(&self) {
        self.wiring.send_modify(|wiring| {
            wiring.requests = true;
            wiring.answers = true;
            wiring.generation += 1;
        });
    }

    async fn accept(self, listener: TcpListener, stop: CancellationToken) -> Result<(), Error> {
        let mut connections = TaskGroup::new(&stop);
        let room = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS_MAX));
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            let Ok((client, _)) = accepted else { continue };
            let Ok(place) = Arc::clone(&room).try_acquire_owned() else { continue };
            let (wiring, stop) = (self.wiring.subscribe(), connections.stop_token());
            connections.spawn("connection", async move {
                let _place = place;
                tokio::select! {
                    biased;
                    () = stop.cancelled() => {}
                    () = carry(client, wiring) => {}
                }
                Ok(())
            });
        }
        connections.stop().await
    }
}

async fn carry(client: TcpStream, mut wiring: watch::Receiver<Wiring>) {
    let began = *wiring.borrow_and_update();
    // A wire that is cut accepts and stays silent, as a dropped packet does.
    if wiring
        .wait_for(|now| (now.requests && now.target.is_some()) || now.generation != began.generation)
        .await
        .is_err()
    {
        return;
    }
    let Some(target) = wiring.borrow().target else { return };
    if wiring.borrow().generation != began.generation {
        return;
    }
    let Ok(Ok(server)) = tokio::time::timeout(Duration::from_secs(5), TcpStream::connect(target)).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let requests = pump(from_client, to_server, wiring.clone(), |now| now.requests);
    let answers = pump(from_server, to_client, wiring.clone(), |now| now.answers);
    tokio::select! {
        biased;
        _ = wiring.wait_for(|now| now.generation != began.generation) => {}
        ((), ()) = async { tokio::join!(requests, answers) } => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut wiring: watch::Receiver<Wiring>,
    passes: fn(&Wiring) -> bool,
) {
    let mut buffer = vec![0; BUFFER_BYTES];
    while let Ok(read) = from.read(&mut buffer).await {
        if wiring.wait_for(passes).await.is_err() {
            break;
        }
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}
