//! Witnesses with one defect each, around the correct one.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use dcp_core::ids::{RegionId, SliceRef};
use dcp_core::ownership::{Evidence, WriteGrant};
use dcp_core::ports::{
    Condition, Entry, Kept, Key, LeaseReading, LeaseRenewal, Revision, StateStore, StoreIdentity, Transaction, Witness,
    Write,
};
use dcp_core::position::LogIncarnation;
use dcp_core::signed::Envelope;
use dcp_core::treaty::Treaty;
use dcp_core::{Error, ErrorKind, Failure};
use dcp_fencing::witness::StateStoreWitness;

use crate::clauses::Witnesses;

/// Which defect.
pub(crate) trait Defect: Send + Sync + 'static {
    const NAME: &'static str;
}

macro_rules! defects {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $($(#[$doc])* #[derive(Debug)] pub(crate) struct $name; impl Defect for $name { const NAME: &'static str = stringify!($name); })*
    };
}

defects! {
    /// Writes heads whatever they have become since they were read.
    OverwritesHeads
    /// Claims each slice in a commit of its own.
    ClaimsOneByOne
    /// Claims without the condition on the lease.
    ForgetsTheLease
    /// Takes another attempt of the same run for its own.
    IgnoresTheNonce
    /// Renews whatever it is asked to.
    RenewsForAnyone
    /// Compares neither incarnation nor commits of the store with the last ones.
    ForgetsTheStore
    /// Counts the store's commits, and asks for no prefix.
    CountsCommits
    /// Keeps no mark of the state store.
    ForgetsTheMark
    /// Takes a lease as evidence whether or not the claim is conditional on it.
    BelievesAnyLease
    /// Takes any evidence for any takeover rule.
    BelievesAnyEvidence
    /// Reads the head and not its chain.
    ReadsHeadsOnly
}

/// Witnesses with this defect.
pub(crate) struct Planted<D>(PhantomData<D>);

impl<D: Defect> Witnesses for Planted<D> {
    fn over(store: Arc<dyn StateStore>, treaty: Arc<Treaty>) -> Arc<dyn Witness> {
        let dropped: Option<fn(&Condition) -> bool> = match D::NAME {
            "OverwritesHeads" => Some(|condition| key_of(condition).as_str().ends_with("/head")),
            "ForgetsTheLease" => Some(|condition| key_of(condition).as_str().starts_with("lease/")),
            _ => None,
        };
        let below: Arc<dyn StateStore> = match dropped {
            Some(dropped) => Arc::new(Careless { inner: Arc::clone(&store), dropped }),
            None => Arc::clone(&store),
        };
        let inner = StateStoreWitness::new(below, Arc::clone(&treaty));
        Arc::new(Defective { defect: D::NAME, inner, store, treaty })
    }
}

fn key_of(condition: &Condition) -> &Key {
    match condition {
        Condition::Absent(key) | Condition::At(key, _) => key,
    }
}

/// A store that is not told of some conditions.
#[derive(Debug)]
struct Careless {
    inner: Arc<dyn StateStore>,
    dropped: fn(&Condition) -> bool,
}

#[async_trait]
impl StateStore for Careless {
    async fn read(&self, key: &Key) -> Result<Option<Entry>, Error> {
        self.inner.read(key).await
    }
    async fn scan(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, Error> {
        self.inner.scan(prefix, after, limit).await
    }
    async fn commit(&self, mut transaction: Transaction) -> Result<Revision, Failure> {
        // Only a claim is careless: renewals rest on the same conditions and have clauses of their own.
        let head = |write: &Write| matches!(write, Write::Put(key, _) if key.as_str().ends_with("/head"));
        if transaction.writes.iter().any(head) {
            transaction.conditions.retain(|condition| !(self.dropped)(condition));
        }
        self.inner.commit(transaction).await
    }
}

#[derive(Debug)]
struct Defective {
    defect: &'static str,
    inner: StateStoreWitness,
    store: Arc<dyn StateStore>,
    treaty: Arc<Treaty>,
}

impl Defective {
    // As a claim does, without judging.
    async fn write(&self, records: &[WriteGrant]) -> Result<(), Failure> {
        let mut all = Transaction::new();
        for record in records {
            let value = serde_json::to_vec(record.envelope()).unwrap();
            let slice = format!("ownership/{}/{}", record.slice.scope, record.slice.slice);
            let name = format!("{slice}/record/{:020}", record.epoch.get());
            all =
                all.put(Key::new(name).unwrap(), value.clone()).put(Key::new(format!("{slice}/head")).unwrap(), value);
        }
        self.store.commit(all).await.map(drop)
    }

    fn has(&self, defect: &str) -> bool {
        self.defect == defect
    }
}

#[async_trait]
impl Witness for Defective {
    async fn ownership(&self, slice: &SliceRef) -> Result<Option<WriteGrant>, Error> {
        if !self.has("ReadsHeadsOnly") {
            return self.inner.ownership(slice).await;
        }
        let key = Key::new(format!("ownership/{}/{}/head", slice.scope, slice.slice))?;
        let Some(entry) = self.store.read(&key).await? else { return Ok(None) };
        let envelope: Envelope = serde_json::from_slice(&entry.value).unwrap();
        self.treaty.keyring().open_by_issuer(&envelope).map(Some)
    }

    async fn chain(&self, slice: &SliceRef) -> Result<Vec<WriteGrant>, Error> {
        self.inner.chain(slice).await
    }

    async fn lease(&self, region: &RegionId) -> Result<Option<LeaseReading>, Error> {
        self.inner.lease(region).await
    }

    async fn renew(&self, renewal: &LeaseRenewal) -> Result<LeaseReading, Failure> {
        if self.has("ForgetsTheStore") {
            let store = StoreIdentity { incarnation: LogIncarnation::from_bytes([0; 16]), commit_sequence: 0 };
            let blind = LeaseRenewal::new(renewal.region.clone(), renewal.slices.clone(), store);
            return self.inner.renew(&blind.with_continuity(renewal.kept.clone(), renewal.shown.clone())).await;
        }
        let kept = match self.defect {
            "CountsCommits" => Kept::new(BTreeMap::new(), renewal.kept.mark),
            "ForgetsTheMark" => Kept::new(renewal.kept.prefixes.clone(), None),
            _ => renewal.kept.clone(),
        };
        let renewal = &renewal.clone().with_continuity(kept, renewal.shown.clone());
        match self.inner.renew(renewal).await {
            Err(Failure::NotApplied(error)) if self.has("RenewsForAnyone") && error.kind() == ErrorKind::Fenced => {
                Ok(self.inner.lease(&renewal.region).await.map_err(Failure::NotApplied)?.unwrap())
            }
            outcome => outcome,
        }
    }

    async fn claim(&self, records: &[WriteGrant], lease: Option<(&RegionId, u64)>) -> Result<(), Failure> {
        match self.defect {
            "ClaimsOneByOne" => {
                for record in records {
                    self.inner.claim(std::slice::from_ref(record), lease).await?;
                }
                Ok(())
            }
            "IgnoresTheNonce" => {
                for record in records {
                    let head = self.inner.ownership(&record.slice).await.map_err(Failure::NotApplied)?;
                    let same = head.is_some_and(|head| head.owner == record.owner && head.epoch == record.epoch);
                    if same {
                        return Ok(());
                    }
                }
                self.inner.claim(records, lease).await
            }
            "BelievesAnyEvidence" => match self.inner.claim(records, lease).await {
                Err(failure) if failure.code() == "unlawful-evidence" => self.write(records).await,
                outcome => outcome,
            },
            "BelievesAnyLease" if lease.is_none() => {
                let named = records.iter().find_map(|record| match &record.evidence {
                    Evidence::LeaseRunOut { lease_revision, .. } => Some(*lease_revision),
                    _ => None,
                });
                let home = self.treaty.scope(&records[0].slice.scope).map_err(Failure::NotApplied)?.home().clone();
                self.inner.claim(records, named.map(|revision| (&home, revision))).await
            }
            _ => self.inner.claim(records, lease).await,
        }
    }
}
