//! A TCP proxy that breaks connections at chosen places.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What becomes of the server's answers.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// They pass.
    None,
    /// The connection is cut in place of the answer.
    CutAnswer,
    /// The connection is cut after this many bytes of the answer.
    CutAnswerAfter(usize),
    /// Requests are taken and never forwarded.
    Stall,
    /// Requests are taken, and these bytes are answered.
    Answer(Vec<u8>),
}

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    fault: Arc<Mutex<Fault>>,
    accepted: Arc<AtomicUsize>,
    task: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (fault, accepted) = (Arc::new(Mutex::new(Fault::None)), Arc::new(AtomicUsize::new(0)));
        let mut task = JoinSet::new();
        let (current, count) = (Arc::clone(&fault), Arc::clone(&accepted));
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                connections.spawn(forward(client, server, Arc::clone(&current)));
            }
        });
        Self { address, fault, accepted, task }
    }

    pub(crate) fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    /// Connections so far.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Cuts every connection and refuses new ones.
    pub(crate) async fn close(mut self) {
        self.task.shutdown().await;
    }
}

async fn forward(client: TcpStream, server: SocketAddr, fault: Arc<Mutex<Fault>>) {
    let Ok(upstream) = TcpStream::connect(server).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = upstream.into_split();
    let current = Arc::clone(&fault);
    let requests = async {
        let mut bytes = vec![0; 1 << 16];
        loop {
            let length = from_client.read(&mut bytes).await.unwrap_or(0);
            let now = current.lock().unwrap().clone();
            match now {
                _ if length == 0 => return None,
                Fault::Stall => {}
                Fault::Answer(answer) => return Some(answer),
                _ => to_server.write_all(&bytes[..length]).await.ok()?,
            }
        }
    };
    let answers = async {
        let mut bytes = vec![0; 1 << 16];
        loop {
            let length = from_server.read(&mut bytes).await.unwrap_or(0);
            let now = fault.lock().unwrap().clone();
            let passed = match now {
                Fault::CutAnswer => return None,
                Fault::CutAnswerAfter(most) => length.min(most),
                _ => length,
            };
            if passed < length || length == 0 {
                return Some(bytes[..passed].to_vec());
            }
            to_client_all(&mut to_client, &bytes[..passed]).await?;
        }
    };
    let last = tokio::select! {
        biased;
        last = requests => last,
        last = answers => last,
    };
    if let Some(last) = last {
        let _ = to_client.write_all(&last).await;
        let _ = to_client.shutdown().await;
    }
}

async fn to_client_all(writer: &mut tokio::net::tcp::OwnedWriteHalf, bytes: &[u8]) -> Option<()> {
    writer.write_all(bytes).await.ok()
}
