//! The other region over its sockets.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use dcp_core::ids::{RegionId, SliceRef};
use dcp_core::operation::{OperationKey, SealReceipt};
use dcp_core::ports::{Handover, Sealable};
use dcp_core::recovery::Peer;
use dcp_core::remote::{RemoteEndpoint, RemoteEventSource, RemoteGuard, RemoteOperation};
use dcp_core::treaty::Treaty;
use dcp_core::{Error, Failure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::assembly::guard_resource;

pub(super) const RELEASE: &str = "handover-release";
pub(super) const RELEASED: &str = "handover-released";

/// The ports of a region behind one endpoint.
pub(super) fn peer(endpoint: &RemoteEndpoint, treaty: &Arc<Treaty>, region: &RegionId) -> Result<Peer, Error> {
    let guards = treaty.slices().into_iter().map(|slice| {
        let guard = RemoteGuard::new(endpoint.clone(), guard_resource(region, &slice)?, slice.clone());
        Ok((slice, Arc::new(guard) as Arc<dyn Sealable>))
    });
    Ok(Peer {
        source: Arc::new(RemoteEventSource::new(endpoint.clone())),
        guards: guards.collect::<Result<_, Error>>()?,
        handover: Arc::new(RemoteHandover { endpoint: endpoint.clone() }),
    })
}

#[derive(Debug, Serialize, Deserialize)]
struct Release {
    slice: SliceRef,
    to: RegionId,
    key: OperationKey,
}

/// [`Handover`] of another region.
#[derive(Debug)]
struct RemoteHandover {
    endpoint: RemoteEndpoint,
}

/// Writes a request or an answer of an operation.
pub(crate) fn to_body<T: Serialize>(value: &T) -> Result<Bytes, Error> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|cause| Error::invalid("unwritable-body", cause.to_string()))
}

/// Reads a request or an answer of an operation.
pub(crate) fn from_body<T: DeserializeOwned>(body: &Bytes) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|cause| Error::invalid("bad-body", cause.to_string()))
}

#[async_trait]
impl Handover for RemoteHandover {
    async fn release(&self, slice: &SliceRef, to: &RegionId, key: &OperationKey) -> Result<SealReceipt, Failure> {
        let request = Release { slice: slice.clone(), to: to.clone(), key: key.clone() };
        let body = to_body(&request).map_err(Failure::NotApplied)?;
        let answer = self.endpoint.call(RELEASE, body, self.endpoint.deadlines().seal()).await?;
        // It was answered: only what it says cannot be read.
        from_body(&answer).map_err(|error| Failure::in_doubt("bad-answer", error.to_string()))
    }

    async fn released(&self, slice: &SliceRef) -> Result<Option<SealReceipt>, Error> {
        let answer = self.endpoint.call(RELEASED, to_body(slice)?, self.endpoint.deadlines().read()).await;
        match answer {
            Ok(body) => from_body(&body),
            Err(Failure::NotApplied(error)) => Err(error),
            Err(Failure::InDoubt(doubt)) => Err(Error::retry("no-answer", doubt.to_string())),
        }
    }
}

/// Serves [`Handover::release`].
#[derive(Debug)]
pub(super) struct ServeRelease(pub(super) Arc<dyn Handover>);

#[async_trait]
impl RemoteOperation for ServeRelease {
    async fn call(&self, body: Bytes) -> Result<Bytes, Failure> {
        let Release { slice, to, key } = from_body(&body).map_err(Failure::NotApplied)?;
        let receipt = self.0.release(&slice, &to, &key).await?;
        to_body(&receipt).map_err(|error| Failure::in_doubt("unwritable-answer", error.to_string()))
    }
}

/// Serves [`Handover::released`].
#[derive(Debug)]
pub(super) struct ServeReleased(pub(super) Arc<dyn Handover>);

#[async_trait]
impl RemoteOperation for ServeReleased {
    async fn call(&self, body: Bytes) -> Result<Bytes, Failure> {
        let answer = async { to_body(&self.0.released(&from_body(&body)?).await?) };
        answer.await.map_err(Failure::NotApplied)
    }
}
