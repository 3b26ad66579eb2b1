//! The cluster and its topics.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::client::KafkaClient;
use super::topic::{ClusterDescription, TopicDescription};
use crate::error::Error;

impl KafkaClient {
    /// The cluster as one of its brokers sees it.
    ///
    /// # Errors
    /// `Retry` if no broker answered before the deadline; `Refused` if the client may not connect.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn cluster(&self) -> Result<ClusterDescription, Error> {
        let mut call = self.shared.call("asking for the cluster");
        Ok(self.shared.describe(&mut call, Some(&[])).await?.0)
    }

    /// Topics by name: those named, or all that the client may see. A topic that is not there is not in the
    /// answer.
    ///
    /// # Errors
    /// As [`cluster`](Self::cluster), `Invalid` for a name that no topic can have, and `Refused` if the client
    /// may not see one that is named.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn topics(&self, names: Option<&[Arc<str>]>) -> Result<BTreeMap<Arc<str>, TopicDescription>, Error> {
        let mut call = self.shared.call("asking for topics");
        Ok(self.shared.describe(&mut call, names).await?.1)
    }
}
