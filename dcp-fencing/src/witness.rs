//! The witness over a state store, which may be a remote one.
//!
//! It orders takeovers and needs no clock: whoever challenges an owner times the lease on its own
//! clock, and claims under the condition that the lease has not been renewed since.
//!
//! | Key | Value |
//! |---|---|
//! | `ownership/<scope>/<slice>/head` | the newest signed record |
//! | `ownership/<scope>/<slice>/record/<epoch>` | every signed record |
//! | `lease/<region>` | sequence, slices with their epochs, and what the region's stores must show next time |

mod chain;
mod continuity;
mod decide;
mod layout;

pub use chain::{find_claim, verify_chain};

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use dcp_core::ids::{RegionId, SliceRef};
use dcp_core::ownership::{Claim, WriteGrant};
use dcp_core::ports::state_store::SCAN_MAX;
use dcp_core::ports::{Entry, Key, LeaseReading, LeaseRenewal, Revision, StateStore, Transaction, Witness};
use dcp_core::treaty::Treaty;
use dcp_core::{Error, ErrorKind, Failure};

use self::layout::StoredLease;
use crate::telemetry;

/// A [`Witness`] over a [`StateStore`].
///
/// Each renewal and each claim is one conditional commit. On `Conflict` what it was decided from
/// has moved: the caller reads and decides again, at most a few times.
#[derive(Debug)]
pub struct StateStoreWitness {
    store: Arc<dyn StateStore>,
    treaty: Arc<Treaty>,
    memo: Mutex<Memo>,
}

// What was read and verified before. Never answered without asking the store whether it still
// stands: by the head's revision, or by the conditions of a commit.
#[derive(Debug, Default)]
struct Memo {
    // Their chains are verified.
    heads: BTreeMap<SliceRef, Head>,
    renewals: BTreeMap<RegionId, Basis>,
}

type Head = (Revision, WriteGrant);

// What a region's renewal is decided from. It is kept as it is read, so that a renewal that is
// dropped at its deadline leaves the next one less to read: on a busy machine the first renewal
// after a start would otherwise never come to its end.
#[derive(Debug, Clone, Default)]
struct Basis {
    lease: Option<LeaseReading>,
    heads: BTreeMap<SliceRef, Head>,
}

impl Basis {
    fn revision(&self) -> Option<u64> {
        self.lease.as_ref().map(|lease| lease.revision)
    }
}

impl StateStoreWitness {
    /// A witness that judges by this treaty. Does no I/O.
    #[must_use]
    pub fn new(store: Arc<dyn StateStore>, treaty: Arc<Treaty>) -> Self {
        Self { store, treaty, memo: Mutex::default() }
    }

    /// The ownership that this very claim made, in whatever place of the chain: what to ask after a
    /// claim whose outcome is not known.
    ///
    /// # Errors
    /// As [`Witness::chain`].
    pub async fn claimed(&self, slice: &SliceRef, claim: &Claim) -> Result<Option<WriteGrant>, Error> {
        Ok(find_claim(&self.chain(slice).await?, claim).cloned())
    }

    /// An operator's word, after a renewal was refused because a store of the region went back: its
    /// next renewal is taken with the stores as they are then, and from there on they must go on.
    ///
    /// Nothing here repairs anything. What the region had acknowledged and its restored store has
    /// lost is only at its peer, as far as it was mirrored; a release or a fence that its restored
    /// state store has lost is forgotten. So before this call: keep the region's appends closed,
    /// compare its logs with the peer's mirror of them and re-create those that are behind or have
    /// diverged, and let the peer take over or seal whatever the region may no longer write.
    ///
    /// `sequence` is the one of the lease that the operator has looked at.
    ///
    /// # Errors
    /// `NotApplied(Conflict)` if that is not the lease's present sequence: it has renewed since, and
    /// needs no word. `InDoubt`: read the lease; [`LeaseReading::readmitted`] shows it.
    ///
    /// # Cancel safety
    /// Not cancel safe: a dropped call is in doubt.
    pub async fn readmit(&self, region: &RegionId, sequence: u64) -> Result<(), Failure> {
        let prepare = async {
            let lease = self.lease(region).await?;
            let Some(lease) = lease.filter(|lease| lease.sequence == sequence) else {
                let sentence = format!("{region}: sequence {sequence} is not that of its lease; read it again");
                return Err(Error::conflict("other-renewal", sentence));
            };
            let (key, value) = (layout::lease_key(region)?, StoredLease::readmitting(&lease).to_value()?);
            Ok(Transaction::new().at(key.clone(), Revision::from_store(lease.revision)).put(key, value))
        };
        let transaction = prepare.await.map_err(Failure::NotApplied)?;
        self.store.commit(transaction).await?;
        tracing::warn!(event = telemetry::REGION_READMITTED, %region, sequence);
        Ok(())
    }

    fn memo(&self) -> MutexGuard<'_, Memo> {
        self.memo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // What is remembered for a renewal, and the rest from the store.
    async fn basis(&self, renewal: &LeaseRenewal) -> Result<Basis, Error> {
        let region = &renewal.region;
        let mut basis = self.memo().renewals.get(region).cloned().unwrap_or_default();
        if basis.lease.is_none() {
            basis.lease = self.lease(region).await?;
            self.memo().renewals.entry(region.clone()).or_default().lease.clone_from(&basis.lease);
        }
        basis.heads.retain(|slice, _| renewal.slices.contains_key(slice));
        for slice in renewal.slices.keys() {
            if basis.heads.contains_key(slice) {
                continue;
            }
            if let Some(entry) = self.store.read(&layout::head_key(slice)?).await? {
                let head = (entry.revision, layout::read_grant(self.treaty.keyring(), &entry)?);
                let mut memo = self.memo();
                memo.renewals.entry(region.clone()).or_default().heads.insert(slice.clone(), head.clone());
                basis.heads.insert(slice.clone(), head);
            }
        }
        Ok(basis)
    }

    async fn renew_from(&self, renewal: &LeaseRenewal, basis: Basis) -> Result<LeaseReading, Failure> {
        let prepare = || {
            let sequence = decide::judge_renewal(basis.lease.as_ref(), renewal, &basis.heads)?;
            let key = layout::lease_key(&renewal.region)?;
            let value = StoredLease::of(renewal, sequence).to_value()?;
            let mut transaction = match &basis.lease {
                None => Transaction::new().absent(key.clone()),
                Some(lease) => Transaction::new().at(key.clone(), Revision::from_store(lease.revision)),
            };
            for (slice, (revision, _)) in &basis.heads {
                transaction = transaction.at(layout::head_key(slice)?, *revision);
            }
            Ok::<_, Error>((sequence, transaction.put(key, value)))
        };
        let (sequence, transaction) = prepare().map_err(Failure::NotApplied)?;
        let revision = self.store.commit(transaction).await?.get();
        let reading = LeaseReading::of(renewal, sequence, revision);
        let renewed = Basis { lease: Some(reading.clone()), heads: basis.heads };
        self.memo().renewals.insert(renewal.region.clone(), renewed);
        Ok(reading)
    }

    // Reads again what was remembered. After a conflict that is most often the lease alone: a renewal
    // whose answer was lost has moved it. If it stands, a head has moved.
    async fn read_again(&self, renewal: &LeaseRenewal, lease: Option<u64>, why: ErrorKind) -> Result<Basis, Error> {
        let region = &renewal.region;
        if why == ErrorKind::Conflict {
            self.memo().renewals.entry(region.clone()).or_default().lease = None;
            let basis = self.basis(renewal).await?;
            if basis.revision() != lease {
                return Ok(basis);
            }
        }
        self.memo().renewals.remove(region);
        self.basis(renewal).await
    }

    async fn heads<'a>(&self, slices: impl Iterator<Item = &'a SliceRef>) -> Result<Heads, Error> {
        let mut heads = Heads::default();
        for slice in slices {
            let key = layout::head_key(slice)?;
            let entry = self.store.read(&key).await?;
            if let Some(entry) = &entry {
                heads.grants.insert(slice.clone(), layout::read_grant(self.treaty.keyring(), entry)?);
            }
            heads.read.push((key, entry));
        }
        Ok(heads)
    }

    // Of one moment up to SCAN_MAX entries; records are never rewritten, so that pages still join,
    // and records newer than the head of the first page are left for the next reader.
    async fn entries(&self, slice: &SliceRef) -> Result<Vec<Entry>, Error> {
        let prefix = layout::slice_prefix(slice);
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let after = entries.last().map(|entry| entry.key.clone());
            let page = self.store.scan(&prefix, after.as_ref(), SCAN_MAX).await?;
            let full = page.len() == SCAN_MAX;
            entries.extend(page);
            if !full {
                return Ok(entries);
            }
        }
    }
}

// Heads as read, with what a commit is conditional on.
#[derive(Debug, Default)]
struct Heads {
    grants: BTreeMap<SliceRef, WriteGrant>,
    read: Vec<(Key, Option<Entry>)>,
}

impl Heads {
    fn unchanged(&self, transaction: Transaction) -> Transaction {
        self.read.iter().fold(transaction, |all, (key, entry)| all.unchanged(key.clone(), entry.as_ref()))
    }
}

#[async_trait]
impl Witness for StateStoreWitness {
    async fn ownership(&self, slice: &SliceRef) -> Result<Option<WriteGrant>, Error> {
        let Some(entry) = self.store.read(&layout::head_key(slice)?).await? else {
            return Ok(self.chain(slice).await?.pop());
        };
        if let Some((revision, grant)) = self.memo().heads.get(slice)
            && *revision == entry.revision
        {
            return Ok(Some(grant.clone()));
        }
        let head = self.chain(slice).await?.pop();
        if let Some(grant) = &head
            && grant.envelope() == layout::read_grant(self.treaty.keyring(), &entry)?.envelope()
        {
            self.memo().heads.insert(slice.clone(), (entry.revision, grant.clone()));
        }
        Ok(head)
    }

    async fn chain(&self, slice: &SliceRef) -> Result<Vec<WriteGrant>, Error> {
        let entries = self.entries(slice).await?;
        let head_key = layout::head_key(slice)?;
        let (heads, records): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry.key == head_key);
        let keyring = self.treaty.keyring();
        let Some(head) = heads.first() else {
            return match records.first() {
                None => Ok(Vec::new()),
                Some(record) => Err(Error::corrupt("broken-chain", format!("{}: has no head", record.key))),
            };
        };
        let head = layout::read_grant(keyring, head)?;
        let records = records.iter().map(|entry| layout::read_grant(keyring, entry));
        let mut chain = records.collect::<Result<Vec<_>, _>>()?;
        chain.retain(|record| record.epoch <= head.epoch);
        verify_chain(&self.treaty, slice, &chain)?;
        if chain.last().map(WriteGrant::digest) != Some(head.digest()) {
            return Err(Error::corrupt("broken-chain", format!("{slice}: the head is not its last record")));
        }
        Ok(chain)
    }

    async fn lease(&self, region: &RegionId) -> Result<Option<LeaseReading>, Error> {
        let entry = self.store.read(&layout::lease_key(region)?).await?;
        entry.map(|entry| layout::read_lease(region, &entry)).transpose()
    }

    async fn renew(&self, renewal: &LeaseRenewal) -> Result<LeaseReading, Failure> {
        let remembered = self.basis(renewal).await.map_err(Failure::NotApplied)?;
        let lease = remembered.revision();
        match self.renew_from(renewal, remembered).await {
            // What was remembered may refuse what is lawful by now: what is there now decides.
            Err(Failure::NotApplied(error)) => {
                let read = self.read_again(renewal, lease, error.kind()).await.map_err(Failure::NotApplied)?;
                self.renew_from(renewal, read).await
            }
            decided => decided,
        }
    }

    async fn claim(&self, records: &[WriteGrant], lease: Option<(&RegionId, u64)>) -> Result<(), Failure> {
        let prepare = async {
            let heads = self.heads(records.iter().map(|record| &record.slice)).await?;
            if heads.read.len() > heads.read.iter().map(|(key, _)| key).collect::<std::collections::BTreeSet<_>>().len()
            {
                return Err(Error::invalid("slice-twice", "a claim names a slice twice"));
            }
            let appended = decide::judge_claim(&self.treaty, records, &heads.grants, lease)?;
            let mut transaction = heads.unchanged(Transaction::new());
            if let Some((region, revision)) = lease {
                transaction = transaction.at(layout::lease_key(region)?, Revision::from_store(revision));
            }
            for record in &appended {
                // The treaty's own keys must vouch for it, whichever key set the caller opened it with.
                self.treaty.keyring().open_by_issuer::<dcp_core::ownership::Ownership>(record.envelope())?;
                let value = layout::write_grant(record)?;
                transaction = transaction
                    .put(layout::record_key(&record.slice, record.epoch)?, value.clone())
                    .put(layout::head_key(&record.slice)?, value);
            }
            Ok((!appended.is_empty()).then_some(transaction))
        };
        match prepare.await.map_err(Failure::NotApplied)? {
            None => Ok(()),
            Some(transaction) => self.store.commit(transaction).await.map(|_| ()),
        }
    }
}
