//! A guard of a peer region: read its fence, and seal it.

use std::borrow::Cow;

use async_trait::async_trait;

use super::RemoteEndpoint;
use super::outcome::Lost;
use crate::error::{Error, Failure};
use crate::fence::{Fence, FencingToken};
use crate::ids::{ResourceId, SliceRef};
use crate::operation::SealReceipt;
use crate::ports::Sealable;
use crate::remote::wire::messages::{GuardRef, SMALL, Seal, paths};

/// The guard of one resource that an endpoint offers.
#[derive(Debug, Clone)]
pub struct RemoteGuard {
    endpoint: RemoteEndpoint,
    resource: ResourceId,
    slice: SliceRef,
}

impl RemoteGuard {
    /// The guard at `resource`; a server whose guard there stands at another slice refuses
    /// (`other-slice`).
    #[must_use]
    pub fn new(endpoint: RemoteEndpoint, resource: ResourceId, slice: SliceRef) -> Self {
        Self { endpoint, resource, slice }
    }

    fn reference(&self) -> GuardRef<'_> {
        GuardRef { resource: Cow::Borrowed(&self.resource), slice: Cow::Borrowed(&self.slice) }
    }
}

#[async_trait]
impl Sealable for RemoteGuard {
    fn resource(&self) -> &ResourceId {
        &self.resource
    }

    fn slice(&self) -> &SliceRef {
        &self.slice
    }

    async fn fence(&self) -> Result<Fence, Error> {
        let deadline = self.endpoint.deadlines().read();
        self.endpoint.ask(paths::GUARDS_FENCE, &self.reference(), SMALL, deadline).await
    }

    async fn seal(&self, token: &FencingToken) -> Result<SealReceipt, Failure> {
        let token = token.to_presented();
        let capacity = SMALL + 2 * (token.grant.payload().len() + token.binding.payload().len());
        let question = Seal { guard: self.reference(), token };
        let deadline = self.endpoint.deadlines().seal();
        let receipt: SealReceipt = self.endpoint.effect(paths::GUARDS_SEAL, &question, capacity, deadline).await?;
        if receipt.resource != self.resource {
            let sentence = format!("a receipt of {} for {}", receipt.resource, self.resource);
            return Err(Lost::Unreadable(sentence).of_effect(self.endpoint.place(paths::GUARDS_SEAL)));
        }
        Ok(receipt)
    }
}
