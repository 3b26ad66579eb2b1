//! Deadlines on a clock that goes on while a process does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dcp_core::Failure;
use dcp_core::clock::{Clock, Moment, TokioClock};
use dcp_core::remote::{Deadlines, RemoteEndpoint, RemoteOperation};

use super::rig::{AMPLE, key, server, start};

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
