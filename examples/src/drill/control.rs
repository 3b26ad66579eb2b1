//! The drill's hand on one region: its endpoint, asked directly, past the wires.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dcp_core::clock::{Clock, SystemClock};
use dcp_core::control_plane::RunStatus;
use dcp_core::ids::{RunId, SliceRef};
use dcp_core::ownership::WriteGrant;
use dcp_core::ports::Appends as _;
use dcp_core::remote::{BearerKey, Deadlines, RemoteAppends, RemoteEndpoint};
use dcp_core::treaty::Treaty;
use dcp_core::{Error, Failure};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::orders::Home;
use crate::region::{Arming, Ask, DrillControl, OrderRequest, RegionStatus, from_body, to_body};

const PATIENCE: Duration = Duration::from_secs(10);

/// Asks one region.
#[derive(Debug, Clone)]
pub struct Control(RemoteEndpoint);

impl Control {
    /// A region at an address.
    ///
    /// # Errors
    /// `Refused` for an address that is not on this machine.
    pub fn new(address: SocketAddr, bearer: &BearerKey) -> Result<Self, Error> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        Ok(Self(RemoteEndpoint::new(address, bearer, Deadlines::new(PATIENCE), clock)?))
    }

    async fn ask<Q: Serialize + Sync, A: DeserializeOwned>(&self, name: &str, question: &Q) -> Result<A, Error> {
        match self.0.call(name, to_body(question)?, PATIENCE).await {
            Ok(answer) => from_body(&answer),
            Err(Failure::NotApplied(error)) => Err(error),
            // Every question here may be asked again.
            Err(Failure::InDoubt(doubt)) => Err(Error::retry("no-answer", doubt.to_string())),
        }
    }

    /// What the region says of itself.
    ///
    /// # Errors
    /// `Retry` if it does not answer.
    pub async fn status(&self) -> Result<RegionStatus, Error> {
        self.ask(Ask::Status.name(), &()).await
    }

    /// Orders a plan; a planned move under a token of the slice's owner.
    ///
    /// # Errors
    /// The region's refusal, or `Retry`.
    pub async fn order(&self, request: &OrderRequest) -> Result<RunId, Error> {
        self.ask(Ask::Order.name(), request).await
    }

    /// The ownership of a slice, as far as the region knows it, which is `of`.
    ///
    /// # Errors
    /// `Retry` while it knows none, or does not answer; `Refused` if what it says is not signed.
    pub async fn ownership(&self, of: Home, slice: &SliceRef, treaty: &Treaty) -> Result<WriteGrant, Error> {
        let keyring = Arc::new(treaty.keyring().clone());
        RemoteAppends::new(self.0.clone(), of.region_id(), keyring).ownership(slice).await
    }

    /// Throttles every link into the region; none: as fast as it goes.
    ///
    /// # Errors
    /// `Retry` if it does not answer.
    pub async fn throttle(&self, records_per_second: Option<u64>) -> Result<(), Error> {
        self.ask(DrillControl::Throttle.name(), &records_per_second).await
    }

    /// Holds the next that passes a failpoint.
    ///
    /// # Errors
    /// `Retry` if it does not answer.
    pub async fn arm(&self, arming: &Arming) -> Result<(), Error> {
        self.ask(DrillControl::Arm.name(), arming).await
    }

    /// Lets go of what is held.
    ///
    /// # Errors
    /// `Retry` if it does not answer.
    pub async fn release(&self) -> Result<(), Error> {
        self.ask(DrillControl::Release.name(), &()).await
    }

    /// Orders a plan, again and again until it is taken, and waits for its end.
    ///
    /// # Errors
    /// `Stopped` with the step and the reason if the run fails or is superseded.
    pub async fn carry_out(&self, request: OrderRequest, clock: &dyn Clock) -> Result<RunId, Error> {
        let run = loop {
            match self.order(&request).await {
                Ok(run) => break run,
                Err(error)
                    if matches!(error.code(), "busy" | "closed" | "no-answer" | "not-reached" | "plane-ended") => {}
                Err(error) if error.kind() == dcp_core::ErrorKind::Retry => {}
                Err(error) => return Err(error),
            }
            clock.sleep(Duration::from_millis(100)).await;
        };
        loop {
            let status = self.status().await.ok().and_then(|status| status.plane.runs.get(&run).cloned());
            match status {
                Some((_, RunStatus::Done)) => return Ok(run),
                Some((_, RunStatus::Failed { reason } | RunStatus::Cancelled { reason })) => {
                    return Err(Error::stopped("run-failed", format!("{run}: {reason}")));
                }
                Some((_, RunStatus::Superseded)) => return Err(Error::stopped("run-superseded", run.to_string())),
                _ => clock.sleep(Duration::from_millis(25)).await,
            }
        }
    }
}
