//! What a drill does to a region from outside. Served only if asked for by `--drill-controls`; who
//! copies the region program deletes this file.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use dcp_core::ids::RegionId;
use dcp_core::log::LogId;
use dcp_core::ownership::WriteGrant;
use dcp_core::ports::{AppendRequest, OwnerBatch, WriterRole};
use dcp_core::recovery::RecoveryParts;
use dcp_core::remote::{RemoteOperation, RemoteServer};
use dcp_core::{Error, Failure};
use dcp_mirror::StoreLink;

use super::assembly::Assembled;
use super::failpoints::{Arming, HeldFailpoints};
use super::remote_handover::{from_body, to_body};

/// One control.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::exhaustive_enums)]
pub enum DrillControl {
    /// Records per second of every link into the region; `null`: unthrottled.
    Throttle,
    /// [`Arming`]: holds the next that passes a failpoint.
    Arm,
    /// Lets go of what is held.
    Release,
    /// [`AppendRequest`]: a session of its own at the event store, past endpoint, guard and lease, as
    /// a deposed process would open one. Only the store's own fence stands before it.
    OwnSession,
}

impl DrillControl {
    const ALL: [Self; 4] = [Self::Throttle, Self::Arm, Self::Release, Self::OwnSession];

    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Throttle => "drill/throttle",
            Self::Arm => "drill/arm",
            Self::Release => "drill/release",
            Self::OwnSession => "drill/own-session",
        }
    }
}

/// Adds the controls to what a region offers.
pub(super) fn offer(server: RemoteServer, region: &Assembled, failpoints: &Arc<HeldFailpoints>) -> RemoteServer {
    let hand = Arc::new(Hand {
        parts: Arc::clone(&region.parts),
        links: region.links.clone(),
        failpoints: Arc::clone(failpoints),
    });
    DrillControl::ALL.into_iter().fold(server, |server, control| {
        server.operation(control.name(), Arc::new(Operation { control, hand: Arc::clone(&hand) }))
    })
}

#[derive(Debug)]
struct Hand {
    parts: Arc<RecoveryParts>,
    links: BTreeMap<RegionId, Arc<StoreLink>>,
    failpoints: Arc<HeldFailpoints>,
}

#[derive(Debug)]
struct Operation {
    control: DrillControl,
    hand: Arc<Hand>,
}

#[async_trait]
impl RemoteOperation for Operation {
    async fn call(&self, body: Bytes) -> Result<Bytes, Failure> {
        let answered = match self.control {
            DrillControl::Throttle => self.hand.throttle(&body),
            DrillControl::Arm => {
                from_body::<Arming>(&body).and_then(|arming| to_body(&self.hand.failpoints.arm(arming)))
            }
            DrillControl::Release => to_body(&self.hand.failpoints.release()),
            DrillControl::OwnSession => return self.hand.own_session(&body).await,
        };
        answered.map_err(Failure::NotApplied)
    }
}

impl Hand {
    fn throttle(&self, body: &Bytes) -> Result<Bytes, Error> {
        let records_per_second: Option<u64> = from_body(body)?;
        for link in self.links.values() {
            link.set_throttle(records_per_second);
        }
        to_body(&())
    }

    async fn own_session(&self, body: &Bytes) -> Result<Bytes, Failure> {
        let asked = || {
            let request: AppendRequest = from_body(body)?;
            let envelope = request.grant.as_ref();
            let envelope = envelope.ok_or_else(|| Error::invalid("no-grant", "a session needs a grant"))?;
            let grant: WriteGrant = self.parts.treaty.keyring().open_by_issuer(envelope)?;
            let logs = self.parts.treaty.logs_of(&grant.slice, &self.parts.region)?;
            Ok::<_, Error>((request, grant, logs))
        };
        let (request, grant, logs) = asked().map_err(Failure::NotApplied)?;
        let writer = self.parts.store.open_writer(&logs, WriterRole::Owner(grant)).await?;
        let log = LogId::new(request.scope, self.parts.region.clone(), request.partition);
        let appended = writer.append(OwnerBatch::new(log, request.events)).await?;
        tracing::warn!(?appended, "a session past the guard was let in");
        to_body(&()).map_err(Failure::NotApplied)
    }
}
