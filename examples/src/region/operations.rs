//! What operators may ask a region, beside its ports: status, orders, exports.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use dcp_core::clock::Clock;
use dcp_core::control_plane::{Order, PlaneHandle, PlaneStatus};
use dcp_core::fence::PresentedToken;
use dcp_core::ids::RegionId;
use dcp_core::ports::{Appends, EventSource, Handover, LinkStatus, MirrorLink, ReplayStatus, Sealable, StoreIdentity};
use dcp_core::recovery::RecoveryParts;
use dcp_core::remote::{BearerKey, RemoteOperation, RemoteServer};
use dcp_core::runbook::Journal;
use dcp_core::{Error, Failure};
use serde::{Deserialize, Serialize};

use super::assembly::Assembled;
use super::failpoints::{Held, HeldFailpoints};
use super::remote_handover::{RELEASE, RELEASED, ServeRelease, ServeReleased, from_body, to_body};
use super::seals::{CheckedSeal, check_mandate};

/// An operator's order, under the token that the operator holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct OrderRequest {
    /// What is ordered.
    pub order: Order,
    /// The slice's present token, without which a planned move of it is refused.
    pub token: Option<PresentedToken>,
}

impl OrderRequest {
    /// An order that needs no token: of a blackout or a return.
    #[must_use]
    pub fn without_token(order: Order) -> Self {
        Self { order, token: None }
    }
}

/// What a region says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct RegionStatus {
    /// The plane.
    pub plane: PlaneStatus,
    /// Links into this region, by source.
    pub links: BTreeMap<RegionId, LinkStatus>,
    /// The projections.
    pub replay: ReplayStatus,
    /// The event store.
    pub store: StoreIdentity,
    /// Records that the event store holds in users' logs, own and mirrored.
    pub records: u64,
    /// What failpoints hold.
    pub held: Held,
    /// Open slices, each as `scope/slice`, with the epoch.
    pub open: BTreeMap<String, u64>,
}

/// The endpoint of a region: its ports and its operations, all behind the key of its peer and operators.
pub(super) fn serve(
    region: &Assembled,
    appends: Arc<dyn Appends>,
    bearer: BearerKey,
    clock: &Arc<dyn Clock>,
    failpoints: &Arc<HeldFailpoints>,
) -> RemoteServer {
    let parts = &region.parts;
    let guards = parts.treaty.slices().into_iter().filter_map(|slice| {
        let guard = Arc::clone(parts.appends.guard(&slice).ok()?);
        Some(Arc::new(CheckedSeal { guard, parts: Arc::clone(parts) }) as Arc<dyn Sealable>)
    });
    let desk = Arc::new(Desk {
        parts: Arc::clone(parts),
        handle: region.handle.clone(),
        links: region.links.iter().map(|(source, link)| (source.clone(), Arc::clone(link))).collect(),
        failpoints: Arc::clone(failpoints),
        state: Arc::clone(&region.state),
    });
    let mut server = RemoteServer::new(bearer, Arc::clone(clock))
        .event_source(Arc::clone(&parts.store) as Arc<dyn EventSource>)
        .appends(appends)
        .guards(guards, Arc::new(parts.treaty.keyring().clone()))
        .operation(RELEASE, Arc::new(ServeRelease(Arc::clone(&region.handover) as Arc<dyn Handover>)))
        .operation(RELEASED, Arc::new(ServeReleased(Arc::clone(&region.handover) as Arc<dyn Handover>)));
    for ask in Ask::ALL {
        server = server.operation(ask.name(), Arc::new(Operation { ask, desk: Arc::clone(&desk) }));
    }
    server
}

/// One operation of a region.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::exhaustive_enums)]
pub enum Ask {
    /// [`RegionStatus`].
    Status,
    /// [`OrderRequest`], answered by the run's name.
    Order,
    /// Exports the journal after a sequence.
    Journal,
}

impl Ask {
    const ALL: [Self; 3] = [Self::Status, Self::Order, Self::Journal];

    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Order => "order",
            Self::Journal => "journal",
        }
    }
}

#[derive(Debug)]
struct Desk {
    parts: Arc<RecoveryParts>,
    handle: PlaneHandle,
    links: BTreeMap<RegionId, Arc<dcp_mirror::StoreLink>>,
    failpoints: Arc<HeldFailpoints>,
    state: Arc<dyn dcp_core::ports::StateStore>,
}

#[derive(Debug)]
struct Operation {
    ask: Ask,
    desk: Arc<Desk>,
}

#[async_trait]
impl RemoteOperation for Operation {
    async fn call(&self, body: Bytes) -> Result<Bytes, Failure> {
        let answered = match self.ask {
            Ask::Status => self.desk.status().await,
            Ask::Order => self.desk.order(&body).await,
            Ask::Journal => self.desk.journal(&body).await,
        };
        answered.map_err(Failure::NotApplied)
    }
}

impl Desk {
    async fn status(&self) -> Result<Bytes, Error> {
        let mut links = BTreeMap::new();
        for (source, link) in &self.links {
            links.insert(source.clone(), link.status().await?);
        }
        let plane = self.handle.status().borrow().clone();
        let open = self.parts.treaty.slices().into_iter().filter_map(|slice| {
            self.parts.appends.open_grant(&slice).map(|grant| (slice.to_string(), grant.epoch.get()))
        });
        to_body(&RegionStatus {
            plane,
            links,
            replay: self.parts.replay.status().await?,
            store: self.parts.store.identity().await?,
            records: self.records().await?,
            held: self.failpoints.held(),
            open: open.collect(),
        })
    }

    async fn records(&self) -> Result<u64, Error> {
        let regions = self.parts.treaty.regions();
        let logs: Vec<_> = regions.iter().flat_map(|region| self.parts.treaty.logs_by_origin(region)).collect();
        let ends = self.parts.store.ends(&logs).await?;
        Ok(ends.iter().map(|(_, end)| end.prefix.count).sum())
    }

    async fn order(&self, body: &Bytes) -> Result<Bytes, Error> {
        let request: OrderRequest = from_body(body)?;
        if let Order::Switchover { slice, from } = &request.order {
            let presented = request.token.as_ref();
            let presented = presented.ok_or_else(|| {
                Error::refused("no-token", format!("{slice}: a planned move needs its present token"))
            })?;
            let token = presented.verify(self.parts.treaty.keyring())?;
            // Before the witness is asked: an isolated region knows by itself that its lease is over.
            check_mandate(&self.parts, slice, &token).await?;
            let head = self.parts.head(slice).await?;
            if token.grant().epoch != head.epoch {
                let rank = token.rank();
                let message = format!("{slice}: presented {rank}; now epoch {} of {}", head.epoch, head.owner);
                return Err(Error::fenced("stale", message));
            }
            if from == &self.parts.region || &head.owner != from {
                let message = format!(
                    "{slice}: owned by {} under epoch {}; {} takes from its owner",
                    head.owner, head.epoch, self.parts.region
                );
                return Err(Error::refused("not-from-owner", message));
            }
        }
        to_body(&self.handle.order(request.order).await?)
    }

    async fn journal(&self, body: &Bytes) -> Result<Bytes, Error> {
        const PAGE: usize = 500;
        let after: u64 = from_body(body)?;
        let journal = Journal::open(Arc::clone(&self.state), Arc::clone(&self.parts.clock)).await?;
        to_body(&journal.export_after(after, PAGE).await?)
    }
}
