//! What a projection sees of its rows while it folds one event.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use dcp_core::Error;
use dcp_core::event::StreamId;
use dcp_core::ids::ScopeId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::row::{Keys, ROW_KEY_MAX_BYTES, RowKey};

/// Largest value of one row, in bytes.
pub const ROW_MAX_BYTES: usize = 256 * 1024;
/// Most rows that one event may read or write.
pub const EVENT_MAX_ROWS: usize = 1_000;

/// Rows held in memory: an absent value is known to be absent in the store.
pub(crate) type Rows = BTreeMap<RowKey, Option<Bytes>>;

/// Which rows a fold sees.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Space<'a> {
    /// Those of the whole projection.
    Shared,
    /// Those of one stream.
    Stream(&'a ScopeId, &'a StreamId),
}

/// The rows of a projection, from text keys to bytes.
///
/// What is written here takes effect with the event's position, in one commit, or not at all.
#[derive(Debug)]
pub struct Model<'a> {
    keys: &'a Keys,
    space: Space<'a>,
    rows: &'a Rows,
    written: Rows,
    missing: BTreeSet<RowKey>,
}

/// What a fold of one event did.
#[derive(Debug)]
pub(crate) struct Folded {
    pub(crate) written: Rows,
    /// Rows that were read and are not in memory: load them and fold again.
    pub(crate) missing: BTreeSet<RowKey>,
}

impl<'a> Model<'a> {
    pub(crate) fn new(keys: &'a Keys, space: Space<'a>, rows: &'a Rows) -> Self {
        Self { keys, space, rows, written: BTreeMap::new(), missing: BTreeSet::new() }
    }

    pub(crate) fn finish(self) -> Folded {
        Folded { written: self.written, missing: self.missing }
    }

    fn key(&self, key: &str) -> Result<RowKey, Error> {
        let key = match self.space {
            Space::Shared => self.keys.shared(key),
            Space::Stream(scope, stream) => self.keys.of_stream(scope, stream, key),
        };
        if key.as_bytes().len() > ROW_KEY_MAX_BYTES {
            return Err(Error::invalid(
                "row-key-too-long",
                format!("row key of {} bytes: at most {ROW_KEY_MAX_BYTES}", key.as_bytes().len()),
            ));
        }
        if self.written.len() + self.missing.len() >= EVENT_MAX_ROWS {
            return Err(Error::invalid("too-many-rows", format!("one event touches more than {EVENT_MAX_ROWS} rows")));
        }
        Ok(key)
    }

    /// The value of a row; none if it does not exist.
    ///
    /// # Errors
    /// `Retry` if the row is not in memory: hand the error on, the engine loads the row and calls the
    /// fold again. `Invalid` for a key above the bound.
    pub fn get(&mut self, key: &str) -> Result<Option<Bytes>, Error> {
        let key = self.key(key)?;
        if let Some(value) = self.written.get(&key).or_else(|| self.rows.get(&key)) {
            return Ok(value.clone());
        }
        self.missing.insert(key);
        Err(Error::retry("row-not-loaded", "the row is not in memory; hand this error on and the fold is repeated"))
    }

    /// Sets the value of a row.
    ///
    /// # Errors
    /// `Invalid` for a key or value above the bound.
    pub fn put(&mut self, key: &str, value: impl Into<Bytes>) -> Result<(), Error> {
        let value = value.into();
        if value.len() > ROW_MAX_BYTES {
            return Err(Error::invalid(
                "row-too-large",
                format!("row {key:?}: {} bytes, at most {ROW_MAX_BYTES}", value.len()),
            ));
        }
        let key = self.key(key)?;
        self.written.insert(key, Some(value));
        Ok(())
    }

    /// Removes a row; no effect if it does not exist.
    ///
    /// # Errors
    /// `Invalid` for a key above the bound.
    pub fn delete(&mut self, key: &str) -> Result<(), Error> {
        let key = self.key(key)?;
        self.written.insert(key, None);
        Ok(())
    }

    /// The value of a row as a type (postcard).
    ///
    /// # Errors
    /// As [`Model::get`]; `Corrupt` if the row holds another type.
    pub fn read<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, Error> {
        self.get(key)?.map(|value| decode(&value).map_err(|error| error.at(format!("row {key:?}")))).transpose()
    }

    /// Sets the value of a row from a type (postcard).
    ///
    /// # Errors
    /// As [`Model::put`]; `Invalid` if the value cannot be written.
    pub fn write<T: Serialize>(&mut self, key: &str, value: &T) -> Result<(), Error> {
        self.put(key, encode(value)?)
    }
}

/// Reads a value that [`Model::write`] wrote.
///
/// # Errors
/// `Corrupt` if the bytes are of another type.
pub fn decode<T: DeserializeOwned>(value: &[u8]) -> Result<T, Error> {
    postcard::from_bytes(value).map_err(|cause| Error::corrupt("bad-row", format!("value cannot be read: {cause}")))
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Bytes, Error> {
    postcard::to_stdvec(value)
        .map(Bytes::from)
        .map_err(|cause| Error::invalid("bad-row", format!("value cannot be written: {cause}")))
}
