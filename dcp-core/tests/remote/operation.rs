//! An operation that counts what it did and can be held.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use dcp_core::remote::RemoteOperation;
use dcp_core::{Error, Failure};
use tokio::sync::Semaphore;

#[derive(Debug)]
pub(crate) struct Counted {
    begun: Semaphore,
    gate: Semaphore,
    done: AtomicUsize,
}

impl Counted {
    /// Lets every call pass.
    pub(crate) fn open() -> Arc<Self> {
        Self::with(Semaphore::MAX_PERMITS / 2)
    }

    /// Holds every call until it is released.
    pub(crate) fn held() -> Arc<Self> {
        Self::with(0)
    }

    fn with(permits: usize) -> Arc<Self> {
        let (begun, gate) = (Semaphore::new(0), Semaphore::new(permits));
        Arc::new(Self { begun, gate, done: AtomicUsize::new(0) })
    }

    /// Returns once one more call has begun.
    pub(crate) async fn has_begun(&self) {
        self.begun.acquire().await.unwrap().forget();
    }

    pub(crate) fn release(&self) {
        self.gate.add_permits(1);
    }

    pub(crate) fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }
}

/// Answers its body; `refuse`, `doubt` and `panic` as they say.
#[async_trait]
impl RemoteOperation for Counted {
    async fn call(&self, body: Bytes) -> Result<Bytes, Failure> {
        self.begun.add_permits(1);
        self.gate.acquire().await.unwrap().forget();
        self.done.fetch_add(1, Ordering::SeqCst);
        match body.as_ref() {
            b"refuse" => Err(Failure::NotApplied(Error::refused("a-rule", "the rule says no"))),
            b"doubt" => Err(Failure::in_doubt("a-doubt", "who knows")),
            b"panic" => panic!("planted"),
            b"huge" => Ok(Bytes::from(vec![0; 17 << 20])),
            _ => Ok(body),
        }
    }
}
