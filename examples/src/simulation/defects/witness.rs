//! Two claims of one epoch, and a probe that cannot tell them apart.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use dcp_core::digest::Digest;
use dcp_core::ids::{RegionId, RunId, SliceRef};
use dcp_core::ownership::{Claim, Ownership, WriteGrant};
use dcp_core::ports::{LeaseReading, LeaseRenewal, Witness};
use dcp_core::signed::Signer;
use dcp_core::treaty::Treaty;
use dcp_core::{Error, Failure};

/// The first claim of a takeover meets a rival's of the same region and epoch, and is not answered.
#[derive(Debug)]
pub(super) struct Raced {
    pub(super) inner: Arc<dyn Witness>,
    pub(super) signer: Arc<Signer>,
    pub(super) treaty: Arc<Treaty>,
    pub(super) raced: Arc<Mutex<bool>>,
}

impl Raced {
    fn rival(&self, record: &WriteGrant) -> Result<WriteGrant, Error> {
        let mut rival = Ownership::clone(record);
        let claim = Claim { run: RunId::new("rival")?, plan: Digest::of(b"rival"), nonce: Digest::of(b"another") };
        rival.claim = Some(claim);
        self.treaty.keyring().open_by_issuer(&self.signer.sign(&rival)?)
    }
}

#[async_trait]
impl Witness for Raced {
    async fn ownership(&self, slice: &SliceRef) -> Result<Option<WriteGrant>, Error> {
        self.inner.ownership(slice).await
    }
    async fn chain(&self, slice: &SliceRef) -> Result<Vec<WriteGrant>, Error> {
        self.inner.chain(slice).await
    }
    async fn lease(&self, region: &RegionId) -> Result<Option<LeaseReading>, Error> {
        self.inner.lease(region).await
    }
    async fn renew(&self, renewal: &LeaseRenewal) -> Result<LeaseReading, Failure> {
        self.inner.renew(renewal).await
    }
    async fn claim(&self, records: &[WriteGrant], lease: Option<(&RegionId, u64)>) -> Result<(), Failure> {
        let first = !std::mem::replace(&mut *self.raced.lock().unwrap_or_else(PoisonError::into_inner), true);
        if !first {
            return self.inner.claim(records, lease).await;
        }
        let rivals = records.iter().map(|record| self.rival(record)).collect::<Result<Vec<_>, _>>();
        self.inner.claim(&rivals.map_err(Failure::NotApplied)?, lease).await?;
        let refused = self.inner.claim(records, lease).await;
        Err(Failure::in_doubt("no-answer", format!("the answer was lost: {refused:?}")))
    }
}

/// Answers a head of the claimer's own epoch as if it were the claimer's own record.
#[derive(Debug)]
pub(super) struct IgnoresNonce {
    pub(super) inner: Arc<dyn Witness>,
    pub(super) claimed: Mutex<BTreeMap<SliceRef, WriteGrant>>,
}

#[async_trait]
impl Witness for IgnoresNonce {
    async fn ownership(&self, slice: &SliceRef) -> Result<Option<WriteGrant>, Error> {
        let head = self.inner.ownership(slice).await?;
        let mine = self.claimed.lock().unwrap_or_else(PoisonError::into_inner).get(slice).cloned();
        Ok(match (head, mine) {
            (Some(head), Some(mine)) if head.epoch == mine.epoch && head.owner == mine.owner => Some(mine),
            (head, _) => head,
        })
    }
    async fn chain(&self, slice: &SliceRef) -> Result<Vec<WriteGrant>, Error> {
        self.inner.chain(slice).await
    }
    async fn lease(&self, region: &RegionId) -> Result<Option<LeaseReading>, Error> {
        self.inner.lease(region).await
    }
    async fn renew(&self, renewal: &LeaseRenewal) -> Result<LeaseReading, Failure> {
        self.inner.renew(renewal).await
    }
    async fn claim(&self, records: &[WriteGrant], lease: Option<(&RegionId, u64)>) -> Result<(), Failure> {
        let claimed = records.iter().map(|record| (record.slice.clone(), record.clone()));
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).extend(claimed);
        self.inner.claim(records, lease).await
    }
}
