//! A state store whose commits fail as told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use dcp_core::memory::MemoryStateStore;
use dcp_core::ports::{Entry, Key, Revision, StateStore, Transaction};
use dcp_core::{Error, Failure};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    Refused,
    DoubtDone,
    DoubtNotDone,
}

#[derive(Debug)]
pub struct Unreliable {
    inner: MemoryStateStore,
    faults: Mutex<VecDeque<Fault>>,
    held: Mutex<Vec<Transaction>>,
}

impl Unreliable {
    pub fn new(inner: MemoryStateStore) -> Arc<Self> {
        Arc::new(Self { inner, faults: Mutex::default(), held: Mutex::default() })
    }

    pub fn next_commits(&self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.lock().unwrap().extend(faults);
    }

    pub fn heal(&self) {
        self.faults.lock().unwrap().clear();
    }

    /// Lets commits land whose outcome was in doubt and that were not done; answers how many did.
    pub async fn land_held(&self) -> usize {
        let held: Vec<_> = std::mem::take(&mut *self.held.lock().unwrap());
        let mut landed = 0;
        for transaction in held {
            landed += usize::from(self.inner.commit(transaction).await.is_ok());
        }
        landed
    }
}

#[async_trait]
impl StateStore for Unreliable {
    async fn read(&self, key: &Key) -> Result<Option<Entry>, Error> {
        self.inner.read(key).await
    }

    async fn scan(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, Error> {
        self.inner.scan(prefix, after, limit).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Revision, Failure> {
        let fault = self.faults.lock().unwrap().pop_front().unwrap_or(Fault::None);
        match fault {
            Fault::None => self.inner.commit(transaction).await,
            Fault::Refused => Err(Failure::NotApplied(Error::retry("test", "not now"))),
            Fault::DoubtNotDone => {
                self.held.lock().unwrap().push(transaction);
                Err(Failure::in_doubt("test", "lost on the way there"))
            }
            Fault::DoubtDone => {
                self.inner.commit(transaction).await?;
                Err(Failure::in_doubt("test", "lost on the way back"))
            }
        }
    }
}
