//! Reading of what a projection has built.

use std::sync::Arc;

use bytes::Bytes;
use dcp_core::Error;
use dcp_core::digest::Digest;
use dcp_core::event::StreamId;
use dcp_core::ids::{ProjectionId, ScopeId};
use serde::de::DeserializeOwned;

use crate::model::decode;
use crate::model_store::{ModelStore, scan_all};
use crate::row::Keys;

/// The rows of one projection, for queries; each call sees one commit or a later one.
#[derive(Debug, Clone)]
pub struct ReadModel {
    models: Arc<dyn ModelStore>,
    keys: Keys,
}

impl ReadModel {
    /// The read model of a projection.
    #[must_use]
    pub fn new(models: Arc<dyn ModelStore>, projection: &ProjectionId) -> Self {
        Self { models, keys: Keys::new(projection) }
    }

    /// A row of a projection that commutes.
    ///
    /// # Errors
    /// As [`ModelStore::read`]; `Corrupt` if the row holds another type.
    pub async fn row<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        self.one(self.keys.shared(key)).await
    }

    async fn one<T: DeserializeOwned>(&self, key: crate::row::RowKey) -> Result<Option<T>, Error> {
        let value = self.models.read(&[key]).await?.into_iter().next().flatten();
        value.map(|value| decode(&value)).transpose()
    }

    /// All rows whose key begins with `prefix`, of a projection that commutes, in order of their keys.
    ///
    /// # Errors
    /// As [`ModelStore::scan`].
    pub async fn rows(&self, prefix: &str) -> Result<Vec<(String, Bytes)>, Error> {
        let rows = scan_all(self.models.as_ref(), self.keys.shared(prefix).as_bytes()).await?;
        let parse = |(key, value)| Ok((self.keys.parse_shared(&key).ok_or_else(|| bad_key(&key))?, value));
        rows.into_iter().map(parse).collect()
    }

    /// All rows of all streams, of a projection that rebuilds streams.
    ///
    /// # Errors
    /// As [`ModelStore::scan`].
    pub async fn stream_rows(&self) -> Result<Vec<(ScopeId, StreamId, String, Bytes)>, Error> {
        let rows = scan_all(self.models.as_ref(), self.keys.of_streams().as_bytes()).await?;
        let parse = |(key, value)| {
            let (scope, stream, name) = self.keys.parse_stream(&key).ok_or_else(|| bad_key(&key))?;
            Ok((scope, stream, name, value))
        };
        rows.into_iter().map(parse).collect()
    }

    /// Digest over all rows that the projection has written, in order of their keys: equal models have
    /// equal digests, whatever their positions, marks and counts.
    ///
    /// # Errors
    /// As [`ModelStore::scan`].
    pub async fn digest(&self) -> Result<Digest, Error> {
        let mut rows = scan_all(self.models.as_ref(), self.keys.shared("").as_bytes()).await?;
        rows.extend(scan_all(self.models.as_ref(), self.keys.of_streams().as_bytes()).await?);
        Ok(Digest::of_fields(rows.iter().flat_map(|(key, value)| [key.as_bytes(), value.as_ref()])))
    }
}

fn bad_key(key: &crate::row::RowKey) -> Error {
    Error::corrupt("bad-row-key", format!("key {key:?} of the read model cannot be read"))
}
