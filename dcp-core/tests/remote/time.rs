//! Deadlines on a clock that goes on while a process does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dcp_core::Failure;
use dcp_core::clock::{Clock, Moment, TokioClock};
use dcp_core::remote::{Deadlines, RemoteEndpoint, RemoteOperation, RemoteServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::operation::Counted;
use super::rig::{AMPLE, clock, endpoint, key, server, start};

/// A clock that a test can move forward, as a suspended machine's does.
#[derive(Debug)]
struct Suspended {
    clock: TokioClock,
    slept_nanos: AtomicU64,
}

#[async_trait]
impl Clock for Suspended {
    fn now(&self) -> Moment {
        self.clock.now().after(Duration::from_nanos(self.slept_nanos.load(Ordering::SeqCst)))
    }

    async fn sleep_until(&self, until: Moment) {
        // Like a timer that was set before the suspend and does not know of it yet.
        self.clock.sleep_until(until).await;
    }
}

#[derive(Debug)]
struct Suspends(Arc<Suspended>);

#[async_trait]
impl RemoteOperation for Suspends {
    async fn call(&self, body: Bytes) -> Result<Bytes, Failure> {
        let nanos = u64::try_from(Duration::from_secs(60).as_nanos()).unwrap();
        self.0.slept_nanos.fetch_add(nanos, Ordering::SeqCst);
        Ok(body)
    }
}

#[tokio::test]
async fn an_answer_that_is_found_after_the_deadline_does_not_count() {
    let clock = Arc::new(Suspended { clock: TokioClock::new(), slept_nanos: AtomicU64::new(0) });
    let running = start(server().operation("suspend", Arc::new(Suspends(Arc::clone(&clock))))).await;
    let endpoint = RemoteEndpoint::new(running.address, &key(), Deadlines::new(AMPLE), clock).unwrap();
    let failure = endpoint.call("suspend", Bytes::new(), AMPLE).await.unwrap_err();
    assert!(failure.is_in_doubt(), "{failure}");
}

/// A clock on which a hundred seconds pass in one.
#[derive(Debug, Default)]
struct Hasty(TokioClock);

#[async_trait]
impl Clock for Hasty {
    fn now(&self) -> Moment {
        Moment::from_nanos(self.0.now().as_nanos() * 100)
    }

    async fn sleep_until(&self, until: Moment) {
        self.0.sleep_until(Moment::from_nanos(until.as_nanos() / 100)).await;
    }
}

// Ten seconds pass on the server's clock: twice what it gives a connection to show the key.
#[tokio::test]
async fn a_connection_that_does_not_show_the_key_is_closed() {
    let running = start(RemoteServer::new(key(), Arc::new(Hasty::default())).operation("count", Counted::open())).await;
    let shown = endpoint(running.address);
    shown.call("count", Bytes::new(), AMPLE).await.unwrap();
    let mut mute = TcpStream::connect(running.address).await.unwrap();
    let mut wrong = TcpStream::connect(running.address).await.unwrap();
    wrong.write_all(b"POST /v1/x HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    clock().sleep(Duration::from_millis(100)).await;
    assert_eq!(mute.read(&mut [0; 8]).await.unwrap(), 0, "it was not closed");
    let mut answer = Vec::new();
    wrong.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 401"), "{}", String::from_utf8_lossy(&answer));
    shown.call("count", Bytes::new(), AMPLE).await.unwrap();
}
