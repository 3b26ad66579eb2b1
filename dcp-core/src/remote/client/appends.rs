//! A region's append endpoint, as a producer calls it.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;

use super::RemoteEndpoint;
use super::outcome::Lost;
use crate::error::{Error, Failure};
use crate::ids::{RegionId, SliceRef};
use crate::ownership::WriteGrant;
use crate::ports::{AppendRequest, Appended, Appends};
use crate::remote::wire::messages::{Append, OwnershipOf, SMALL, append_capacity, paths};
use crate::signed::{Envelope, Keyring};

/// The appends that an endpoint offers. What it says of ownership is believed only if it is signed.
#[derive(Debug, Clone)]
pub struct RemoteAppends {
    endpoint: RemoteEndpoint,
    region: RegionId,
    keyring: Arc<Keyring>,
}

impl RemoteAppends {
    /// The appends of `region` behind this endpoint; a server of another region refuses every call
    /// (`other-region`).
    #[must_use]
    pub fn new(endpoint: RemoteEndpoint, region: RegionId, keyring: Arc<Keyring>) -> Self {
        Self { endpoint, region, keyring }
    }
}

#[async_trait]
impl Appends for RemoteAppends {
    fn region(&self) -> &RegionId {
        &self.region
    }

    async fn ownership(&self, slice: &SliceRef) -> Result<WriteGrant, Error> {
        let question = OwnershipOf { region: Cow::Borrowed(&self.region), slice: Cow::Borrowed(slice) };
        let deadline = self.endpoint.deadlines().read();
        let envelope: Envelope = self.endpoint.ask(paths::APPENDS_OWNERSHIP, &question, SMALL, deadline).await?;
        let grant: WriteGrant =
            self.keyring.open_by_issuer(&envelope).map_err(|error| error.at(self.endpoint.address()))?;
        if &grant.slice != slice {
            let sentence = format!("{}: asked for {slice}, answered {}", self.endpoint.address(), grant.slice);
            return Err(Error::corrupt("other-slice", sentence));
        }
        Ok(grant)
    }

    async fn append(&self, request: AppendRequest) -> Result<Appended, Failure> {
        let (capacity, events) = (append_capacity(&request), request.events.len());
        let question = Append { region: Cow::Borrowed(&self.region), request: Cow::Borrowed(&request) };
        let deadline = self.endpoint.deadlines().effect();
        let appended: Appended = self.endpoint.effect(paths::APPENDS_APPEND, &question, capacity, deadline).await?;
        if appended.acks.len() != events {
            let sentence = format!("{} acknowledgements for {events} events", appended.acks.len());
            return Err(Lost::Unreadable(sentence).of_effect(self.endpoint.place(paths::APPENDS_APPEND)));
        }
        Ok(appended)
    }
}
