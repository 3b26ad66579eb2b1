//! The article's counter: the term's revision is drawn in the process.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use dcp_core::fence::Term;
use dcp_core::operation::Leadership;
use dcp_core::ports::LeaderElection;
use dcp_core::{Error, Failure};
use dcp_fencing::StateStoreElection;

#[derive(Debug)]
pub(super) struct LocalCounter {
    inner: StateStoreElection,
    counted: Mutex<(u64, Option<Leadership>)>,
}

impl LocalCounter {
    pub(super) fn over(inner: StateStoreElection) -> Self {
        Self { inner, counted: Mutex::default() }
    }
}

#[async_trait]
impl LeaderElection for LocalCounter {
    async fn campaign(&self) -> Result<Leadership, Failure> {
        let won = self.inner.campaign().await?;
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.0 += 1;
        let term = Term { revision: counted.0, ..won.term().clone() };
        counted.1 = Some(won);
        Ok(Leadership::confirmed(term))
    }

    async fn renew(&self, leadership: &Leadership) -> Result<(), Failure> {
        let won = self.counted.lock().unwrap_or_else(PoisonError::into_inner).1.clone();
        self.inner.renew(won.as_ref().unwrap_or(leadership)).await
    }

    async fn current(&self) -> Result<Option<Term>, Error> {
        self.inner.current().await
    }
}
