//! What the steps of a recovery act on: the ports of one region and its peers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::takeover::{Ground, ground};
use crate::appends::GuardedAppends;
use crate::clock::{Clock, Moment};
use crate::error::Error;
use crate::fence::{FencingToken, TokenBinding};
use crate::ids::{RegionId, ResourceId, SliceRef};
use crate::lease::ChallengeState;
use crate::log::LogId;
use crate::operation::{Mandate, Operation, OperationKey};
use crate::ownership::WriteGrant;
use crate::ports::{
    EventSource, EventStore, Handover, HealthProbe, LeaseHoldings, MirrorLink, ReplayControl, Sealable, Witness,
};
use crate::signed::Signer;
use crate::treaty::Treaty;

/// What a plane sees of its peers' ownership leases, on its own clock.
#[async_trait]
pub trait PeerLeases: fmt::Debug + Send + Sync + 'static {
    /// The regions that are watched.
    fn peers(&self) -> Vec<RegionId>;

    /// Watches until stopped. The plane runs it.
    ///
    /// # Errors
    /// Any; it ends the plane.
    async fn run(&self, stop: CancellationToken) -> Result<(), Error>;

    /// What may be concluded of a region's lease at `now`.
    fn state(&self, region: &RegionId, now: Moment) -> ChallengeState;

    /// The newest renewal sequence seen of a region.
    fn sequence(&self, region: &RegionId) -> Option<u64>;
}

/// What a region is given of another one: reads, seals, and the planned move. No writes.
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_structs)]
pub struct Peer {
    /// Its event store, to read.
    pub source: Arc<dyn EventSource>,
    /// Its guards, by slice.
    pub guards: BTreeMap<SliceRef, Arc<dyn Sealable>>,
    /// Its side of a planned move.
    pub handover: Arc<dyn Handover>,
}

/// The ports of one region that recovery acts on.
#[derive(Debug)]
#[allow(clippy::exhaustive_structs)]
pub struct RecoveryParts {
    /// This region.
    pub region: RegionId,
    /// What was agreed.
    pub treaty: Arc<Treaty>,
    /// This region's `local` key.
    pub signer: Arc<Signer>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Orders takeovers.
    pub witness: Arc<dyn Witness>,
    /// This region's event store.
    pub store: Arc<dyn EventStore>,
    /// This region's appends, behind the guards.
    pub appends: Arc<GuardedAppends>,
    /// This region's ownership leases.
    pub leases: Arc<dyn LeaseHoldings>,
    /// The peers' leases, watched.
    pub peer_leases: Arc<dyn PeerLeases>,
    /// Links into this region, by source.
    pub links: BTreeMap<RegionId, Arc<dyn MirrorLink>>,
    /// This region's projections.
    pub replay: Arc<dyn ReplayControl>,
    /// The other regions.
    pub peers: BTreeMap<RegionId, Peer>,
    /// What users depend on here.
    pub probes: Vec<Arc<dyn HealthProbe>>,
    /// Set by the plane once it leads.
    pub mandate: MandateCell,
}

/// The plane's present mandate; empty while it does not lead.
#[derive(Debug, Default)]
pub struct MandateCell(Mutex<Option<Mandate>>);

impl MandateCell {
    /// Sets or takes away the mandate.
    pub fn set(&self, mandate: Option<Mandate>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = mandate;
    }

    /// The mandate.
    ///
    /// # Errors
    /// `Fenced` if this plane does not lead.
    pub fn get(&self) -> Result<Mandate, Error> {
        let mandate = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        mandate.ok_or_else(|| Error::fenced("no-mandate", "this plane does not lead its region"))
    }
}

impl RecoveryParts {
    /// The resource whose guard is the plane's own driver lease: links and projections of the
    /// region are steered under it.
    ///
    /// # Errors
    /// `Invalid` if the region's name is too long for a resource.
    pub fn plane_resource(region: &RegionId) -> Result<ResourceId, Error> {
        ResourceId::new(format!("plane.{region}"))
    }

    pub(crate) fn operation(&self, key: OperationKey) -> Result<Operation, Error> {
        self.mandate.get()?.operation(&Self::plane_resource(&self.region)?, key)
    }

    /// The token of a slice that this region owns, under the present term.
    ///
    /// # Errors
    /// `Fenced` if this plane does not lead or the grant is another region's.
    pub fn token(&self, grant: &WriteGrant) -> Result<FencingToken, Error> {
        if grant.owner != self.region {
            return Err(Error::fenced("not-owner", format!("{}: owned by {}", grant.slice, grant.owner)));
        }
        let binding = TokenBinding {
            slice: grant.slice.clone(),
            epoch: grant.epoch,
            ownership: grant.digest(),
            term: self.mandate.get()?.term().clone(),
        };
        let envelope = self.signer.sign(&binding)?;
        FencingToken::new(grant.clone(), self.treaty.keyring().open_by_issuer(&envelope)?)
    }

    pub(super) fn link(&self, source: &RegionId) -> Result<&Arc<dyn MirrorLink>, Error> {
        self.links.get(source).ok_or_else(|| Error::invalid("unknown-link", format!("no link from {source}")))
    }

    pub(super) fn peer(&self, region: &RegionId) -> Result<&Peer, Error> {
        self.peers.get(region).ok_or_else(|| Error::invalid("unknown-peer", format!("no peer {region}")))
    }

    /// Head of a slice's chain at the witness.
    ///
    /// # Errors
    /// `Refused` (`no-genesis`) before its first record; otherwise as [`Witness::ownership`].
    pub async fn head(&self, slice: &SliceRef) -> Result<WriteGrant, Error> {
        self.witness.ownership(slice).await?.ok_or_else(|| {
            let message = format!("{slice}: no ownership at the witness; claim its genesis record there first");
            Error::refused("no-genesis", message)
        })
    }

    /// Heads of every slice's chain at the witness.
    pub(crate) async fn heads(&self) -> Result<Vec<WriteGrant>, Error> {
        let mut heads = Vec::new();
        for slice in self.treaty.slices() {
            heads.push(self.head(&slice).await?);
        }
        Ok(heads)
    }

    /// What this region takes when `lost` is gone.
    pub(crate) async fn takeable(&self, lost: &RegionId) -> Result<Vec<(WriteGrant, Ground)>, Error> {
        self.takeable_of(lost, &self.heads().await?).await
    }

    /// As [`RecoveryParts::takeable`], of heads as read.
    pub(crate) async fn takeable_of(
        &self,
        lost: &RegionId,
        heads: &[WriteGrant],
    ) -> Result<Vec<(WriteGrant, Ground)>, Error> {
        let mut takeable = Vec::new();
        for head in heads {
            let released = match &head.owner {
                owner if owner == &self.region => self.appends.releases().of(&head.slice).await?,
                _ => None,
            };
            let let_go_to = released.filter(|released| released.epoch == head.epoch).map(|released| released.to);
            if let Some(ground) = ground(&self.treaty, &self.region, lost, head, let_go_to.as_ref()) {
                takeable.push((head.clone(), ground));
            }
        }
        Ok(takeable)
    }

    /// User logs that this region and `peer` both hold: those of either origin.
    pub(super) fn shared_logs(&self, peer: &RegionId) -> Vec<LogId> {
        let mut logs = self.treaty.logs_by_origin(&self.region);
        logs.extend(self.treaty.logs_by_origin(peer));
        logs
    }
}
