//! Appends as owner: admission, durable commit, and the lease checked on both sides of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

mod releases;

pub(crate) use releases::Released;
pub use releases::Releases;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Failure};
use crate::ids::{RegionId, SliceRef};
use crate::log::LogId;
use crate::ownership::WriteGrant;
use crate::ports::appends::{AppendRequest, Appends};
use crate::ports::event_store::{Appended, EventStore, EventWriter, OwnerBatch, WriterRole};
use crate::ports::failpoints::{Failpoints, points};
use crate::ports::resource_guard::{Permit, ResourceGuard};
use crate::treaty::Treaty;

/// The slices of one region, each behind its guard.
#[derive(Debug)]
pub struct GuardedAppends {
    region: RegionId,
    treaty: Arc<Treaty>,
    store: Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    failpoints: Arc<dyn Failpoints>,
    guards: BTreeMap<SliceRef, Arc<dyn ResourceGuard>>,
    releases: Arc<Releases>,
    slices: Mutex<BTreeMap<SliceRef, Slice>>,
}

/// What is known of one slice, and the writer while it is open here.
#[derive(Debug, Clone, Default)]
struct Slice {
    known: Option<WriteGrant>,
    open: Option<(WriteGrant, Arc<dyn EventWriter>)>,
}

impl GuardedAppends {
    /// Closed appends: every slice opens by [`GuardedAppends::open`], unless it was let go of by
    /// these `releases`.
    ///
    /// # Errors
    /// `Invalid` if a slice of the treaty has no guard.
    pub fn new(
        region: RegionId,
        treaty: Arc<Treaty>,
        store: Arc<dyn EventStore>,
        clock: Arc<dyn Clock>,
        failpoints: Arc<dyn Failpoints>,
        releases: Arc<Releases>,
        guards: impl IntoIterator<Item = Arc<dyn ResourceGuard>>,
    ) -> Result<Self, Error> {
        let guards: BTreeMap<_, _> = guards.into_iter().map(|guard| (guard.slice().clone(), guard)).collect();
        if let Some(missing) = treaty.slices().into_iter().find(|slice| !guards.contains_key(slice)) {
            return Err(Error::invalid("missing-guard", format!("{missing}: no guard was handed in")));
        }
        Ok(Self { region, treaty, store, clock, failpoints, guards, releases, slices: Mutex::default() })
    }

    /// What this region has let go of.
    #[must_use]
    pub fn releases(&self) -> &Releases {
        &self.releases
    }

    fn slices(&self) -> MutexGuard<'_, BTreeMap<SliceRef, Slice>> {
        self.slices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The guard of a slice.
    ///
    /// # Errors
    /// `Invalid` for a slice that the treaty does not have.
    pub fn guard(&self, slice: &SliceRef) -> Result<&Arc<dyn ResourceGuard>, Error> {
        self.guards
            .get(slice)
            .ok_or_else(|| Error::invalid("unknown-slice", format!("the treaty has no slice {slice}")))
    }

    /// Takes note of a slice's ownership; an older one than already known changes nothing.
    pub fn learn(&self, grant: &WriteGrant) {
        let mut slices = self.slices();
        let slice = slices.entry(grant.slice.clone()).or_default();
        if slice.known.as_ref().is_none_or(|known| known.epoch < grant.epoch) {
            slice.known = Some(grant.clone());
        }
    }

    /// The grant that a slice is open under here, if it is.
    #[must_use]
    pub fn open_grant(&self, slice: &SliceRef) -> Option<WriteGrant> {
        self.slices().get(slice).and_then(|slice| slice.open.as_ref().map(|(grant, _)| grant.clone()))
    }

    /// Opens a slice for appends: raises the store's fence, fences an older writer, opens the guard.
    ///
    /// Idempotent for the grant that it is open under. It and letting a slice go exclude each other,
    /// as do two calls for one slice: of two writers opened at once, the one that is kept must be the
    /// later, which has fenced the other.
    ///
    /// # Errors
    /// `NotApplied(Fenced)` below a fence or a newer ownership; `NotApplied(Refused)` for another
    /// region's grant, and (`released`) for an epoch that was let go of: only a higher one opens the
    /// slice again. `InDoubt`: open again.
    pub async fn open(&self, grant: &WriteGrant) -> Result<(), Failure> {
        if grant.owner != self.region {
            let message = format!("{}: owned by {}, not by {}", grant.slice, grant.owner, self.region);
            return Err(Failure::NotApplied(Error::refused("not-owner", message)));
        }
        let logs = self.treaty.logs_of(&grant.slice, &self.region).map_err(Failure::NotApplied)?;
        let _still = self.releases.hold_still(&grant.slice).await;
        if self.open_grant(&grant.slice).is_some_and(|open| open.epoch == grant.epoch) {
            return Ok(());
        }
        self.may_open(grant).await.map_err(Failure::NotApplied)?;
        let writer = self.store.open_writer(&logs, WriterRole::Owner(grant.clone())).await?;
        let guard = self.guard(&grant.slice).map_err(Failure::NotApplied)?;
        guard.open(grant).await?;
        self.learn(grant);
        let mut slices = self.slices();
        let slice = slices.entry(grant.slice.clone()).or_default();
        slice.open = Some((grant.clone(), Arc::from(writer)));
        Ok(())
    }

    async fn may_open(&self, grant: &WriteGrant) -> Result<(), Error> {
        let (slice, epoch) = (&grant.slice, grant.epoch);
        let known = self.slices().get(slice).and_then(|slice| slice.known.clone());
        if let Some(known) = known.filter(|known| known.epoch > epoch) {
            let message = format!("{slice}: epoch {epoch}, now epoch {} of {}", known.epoch, known.owner);
            return Err(Error::fenced("stale", message));
        }
        if self.releases.holds(slice, epoch).await? {
            let message = format!("{slice}: epoch {epoch} was let go of; only a higher one opens it");
            return Err(Error::refused("released", message));
        }
        Ok(())
    }

    /// Closes a slice for appends; the fence stays where it is.
    pub async fn close(&self, slice: &SliceRef, reason: &str) {
        let was_open = self.slices().get_mut(slice).and_then(|slice| slice.open.take()).is_some();
        if was_open && let Some(guard) = self.guards.get(slice) {
            tracing::info!(%slice, reason, "slice closed for appends");
            guard.close(reason).await;
        }
    }

    // A writer that was fenced serves nobody; the plane opens the slice again if it is still ours.
    fn forget(&self, slice: &SliceRef, fenced: &Arc<dyn EventWriter>) {
        if let Some(slice) = self.slices().get_mut(slice)
            && slice.open.as_ref().is_some_and(|(_, writer)| Arc::ptr_eq(writer, fenced))
        {
            slice.open = None;
        }
    }

    fn admit(&self, request: &AppendRequest) -> Result<(SliceRef, LogId, Arc<dyn EventWriter>, Permit), Error> {
        let terms = self.treaty.scope(&request.scope)?;
        let slice = SliceRef::new(request.scope.clone(), terms.slice_of(request.partition)?.clone());
        let state = self.slices().get(&slice).cloned().unwrap_or_default();
        let presented = self.presented(request, &slice)?;
        if let Some(known) = &state.known
            && (known.epoch > request.epoch || known.owner != self.region)
        {
            let message =
                format!("{slice}: presented epoch {}, now epoch {} of {}", request.epoch, known.epoch, known.owner);
            return Err(Error::fenced("stale", message));
        }
        let Some((grant, writer)) = state.open else {
            return Err(Error::retry("closed", format!("{slice}: not open for appends at {}", self.region)));
        };
        if grant.epoch != request.epoch {
            let message = format!("{slice}: presented epoch {}, open under epoch {}", request.epoch, grant.epoch);
            return Err(Error::fenced("other-epoch", message));
        }
        let permit = self.guard(&slice)?.admit(presented.as_ref().unwrap_or(&grant), self.clock.now())?;
        let log = LogId::new(request.scope.clone(), self.region.clone(), request.partition);
        Ok((slice, log, writer, permit))
    }

    fn presented(&self, request: &AppendRequest, slice: &SliceRef) -> Result<Option<WriteGrant>, Error> {
        let Some(envelope) = &request.grant else { return Ok(None) };
        let grant: WriteGrant = self.treaty.keyring().open_by_issuer(envelope)?;
        if &grant.slice != slice || grant.epoch != request.epoch {
            let message = format!("the grant is for epoch {} of {}, the request for {slice}", grant.epoch, grant.slice);
            return Err(Error::invalid("other-grant", message));
        }
        Ok(Some(grant))
    }
}

#[async_trait]
impl Appends for GuardedAppends {
    fn region(&self) -> &RegionId {
        &self.region
    }

    async fn ownership(&self, slice: &SliceRef) -> Result<WriteGrant, Error> {
        self.guard(slice)?;
        self.slices()
            .get(slice)
            .and_then(|slice| slice.known.clone())
            .ok_or_else(|| Error::retry("unknown-owner", format!("{slice}: no ownership is known here yet")))
    }

    async fn append(&self, request: AppendRequest) -> Result<Appended, Failure> {
        let (slice, log, writer, permit) = self.admit(&request).map_err(Failure::NotApplied)?;
        let place = log.to_string();
        self.failpoints.pass(points::APPEND_CHECKED, &place).await;
        let appended = match writer.append(OwnerBatch::new(log, request.events)).await {
            Ok(appended) => appended,
            Err(Failure::NotApplied(error)) => {
                permit.not_applied();
                if error.kind() == ErrorKind::Fenced {
                    self.forget(&slice, &writer);
                }
                return Err(Failure::NotApplied(error));
            }
            // The permit is dropped unsettled: it blocks a seal until the store has shown that
            // nothing of it can still land.
            Err(doubt) => return Err(doubt),
        };
        self.failpoints.pass(points::APPEND_COMMITTED, &place).await;
        permit.applied(self.clock.now()).map_err(Failure::InDoubt)?;
        Ok(appended)
    }
}
