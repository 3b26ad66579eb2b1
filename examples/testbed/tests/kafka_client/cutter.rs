//! A proxy that knows where Kafka's frames begin, and cuts the connection at a byte of one of them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Which frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame {
    Request,
    Response,
}

/// Cut the next such frame after so many bytes, its length included.
#[derive(Debug, Clone, Copy)]
struct Order {
    api: i16,
    frame: Frame,
    after: usize,
}

#[derive(Debug, Default)]
struct Orders {
    waiting: Option<Order>,
    // Length of the frame that was cut.
    cut: Option<usize>,
}

type Shared = Arc<Mutex<Orders>>;

/// Its tasks end with it.
pub(crate) struct Cutter {
    orders: Shared,
    _tasks: JoinSet<()>,
}

fn lock(orders: &Shared) -> std::sync::MutexGuard<'_, Orders> {
    orders.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cutter {
    pub(crate) async fn start(at: SocketAddr, server: SocketAddr) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        let orders = Shared::default();
        let mut tasks = JoinSet::new();
        let heard = Arc::clone(&orders);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                connections.spawn(carry(client, server, Arc::clone(&heard)));
            }
        });
        Self { orders, _tasks: tasks }
    }

    pub(crate) fn order(&self, api: i16, frame: Frame, after: usize) {
        *lock(&self.orders) = Orders { waiting: Some(Order { api, frame, after }), cut: None };
    }

    /// The length of the frame that was cut, since the last order.
    pub(crate) fn cut(&self) -> Option<usize> {
        lock(&self.orders).cut
    }
}

async fn carry(client: TcpStream, server: SocketAddr, orders: Shared) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    // The number of the request whose answer is to be cut, and after how many bytes.
    let watched = Mutex::new(None);
    tokio::select! {
        () = requests(from_client, to_server, &orders, &watched) => {}
        () = responses(from_server, to_client, &orders, &watched) => {}
    }
}

type Watched = Mutex<Option<(i32, usize)>>;

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, orders: &Shared, watched: &Watched) {
    while let Some(frame) = read(&mut from).await {
        let api = i16::from_be_bytes([frame[4], frame[5]]);
        let number = i32::from_be_bytes(frame[8..12].try_into().unwrap());
        let order = {
            let mut orders = lock(orders);
            orders.waiting.take_if(|order| order.api == api)
        };
        match order {
            Some(Order { frame: Frame::Request, after, .. }) => {
                lock(orders).cut = Some(frame.len());
                let _ = to.write_all(&frame[..after.min(frame.len())]).await;
                return;
            }
            Some(Order { after, .. }) => *watched.lock().unwrap() = Some((number, after)),
            None => {}
        }
        if to.write_all(&frame).await.is_err() {
            return;
        }
    }
}

async fn responses(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, orders: &Shared, watched: &Watched) {
    while let Some(frame) = read(&mut from).await {
        let number = i32::from_be_bytes(frame[4..8].try_into().unwrap());
        let cut = watched.lock().unwrap().take_if(|(watched, _)| *watched == number);
        let end = cut.map_or(frame.len(), |(_, after)| after.min(frame.len()));
        if cut.is_some() {
            lock(orders).cut = Some(frame.len());
        }
        if to.write_all(&frame[..end]).await.is_err() || cut.is_some() {
            return;
        }
    }
}

async fn read(from: &mut OwnedReadHalf) -> Option<Vec<u8>> {
    let mut frame = vec![0; 4];
    from.read_exact(&mut frame).await.ok()?;
    let length = usize::try_from(i32::from_be_bytes(frame[..4].try_into().unwrap())).ok()?;
    frame.resize(4 + length, 0);
    from.read_exact(&mut frame[4..]).await.ok()?;
    Some(frame)
}
