//! The one durable primitive: read, scan, conditional atomic commit.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Failure};

/// Longest key, in bytes.
pub const KEY_MAX_BYTES: usize = 512;
/// Largest value, in bytes (etcd's default request limit is 1.5 MiB).
pub const VALUE_MAX_BYTES: usize = 1 << 20;
/// Most writes in one transaction (etcd's default `--max-txn-ops` is 128).
pub const WRITES_MAX: usize = 128;
/// Most entries that one scan returns.
pub const SCAN_MAX: usize = 1_000;

/// A key: `/`-separated text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);

impl Key {
    /// Takes a key.
    ///
    /// # Errors
    /// `Invalid` if it is empty or above [`KEY_MAX_BYTES`].
    pub fn new(key: impl Into<String>) -> Result<Self, Error> {
        let key = key.into();
        if key.is_empty() || key.len() > KEY_MAX_BYTES {
            return Err(Error::invalid("bad-key", format!("key of {} bytes: use 1 to {KEY_MAX_BYTES}", key.len())));
        }
        Ok(Self(key))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// A key that was read keeps the bounds as well.
impl TryFrom<String> for Key {
    type Error = Error;
    fn try_from(key: String) -> Result<Self, Error> {
        Self::new(key)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Number of a commit in one store; rises with every commit that writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(u64);

impl Revision {
    /// For implementers of a store.
    #[must_use]
    pub const fn from_store(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A value and when it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// The value.
    pub value: Bytes,
    /// The commit that wrote it last.
    pub revision: Revision,
}

/// What must hold at the moment of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum Condition {
    /// The key has no value.
    Absent(Key),
    /// The key's value was last written by this commit.
    At(Key, Revision),
}

/// One write of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum Write {
    /// Sets a value.
    Put(Key, Bytes),
    /// Removes a key; no effect if it has no value.
    Delete(Key),
}

/// Conditions and writes that take effect together or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Transaction {
    /// All must hold.
    pub conditions: Vec<Condition>,
    /// Done in order if they do.
    pub writes: Vec<Write>,
}

impl Transaction {
    /// An empty transaction.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Only if the key has no value.
    #[must_use]
    pub fn absent(mut self, key: Key) -> Self {
        self.conditions.push(Condition::Absent(key));
        self
    }

    /// Only if the key was last written by this commit.
    #[must_use]
    pub fn at(mut self, key: Key, revision: Revision) -> Self {
        self.conditions.push(Condition::At(key, revision));
        self
    }

    /// Only if the key is as it was read: absent, or last written by the same commit.
    #[must_use]
    pub fn unchanged(self, key: Key, read: Option<&Entry>) -> Self {
        match read {
            None => self.absent(key),
            Some(entry) => self.at(key, entry.revision),
        }
    }

    /// Sets a value.
    #[must_use]
    pub fn put(mut self, key: Key, value: impl Into<Bytes>) -> Self {
        self.writes.push(Write::Put(key, value.into()));
        self
    }

    /// Removes a key.
    #[must_use]
    pub fn delete(mut self, key: Key) -> Self {
        self.writes.push(Write::Delete(key));
        self
    }

    /// For implementers of a store: checks the bounds.
    ///
    /// # Errors
    /// `Invalid` with the bound that is passed.
    pub fn check(&self) -> Result<(), Error> {
        if self.writes.len() > WRITES_MAX || self.conditions.len() > WRITES_MAX {
            return Err(Error::invalid(
                "transaction-too-large",
                format!(
                    "{} writes, {} conditions: at most {WRITES_MAX} of each",
                    self.writes.len(),
                    self.conditions.len()
                ),
            ));
        }
        let large = self.writes.iter().find_map(|write| match write {
            Write::Put(key, value) if value.len() > VALUE_MAX_BYTES => Some((key, value.len())),
            _ => None,
        });
        match large {
            Some((key, length)) => {
                Err(Error::invalid("value-too-large", format!("{key}: {length} bytes, at most {VALUE_MAX_BYTES}")))
            }
            None => Ok(()),
        }
    }
}

/// A durable, linearizable map from keys to values.
///
/// # Contract
/// - **S1** A read after an answered commit, by any client, sees it or a later one.
/// - **S2** A commit takes effect as a whole or not at all, also across a crash.
/// - **S3** A commit whose conditions do not hold writes nothing and answers
///   `NotApplied(Conflict)`.
/// - **S4** Revisions rise with every commit that writes; an entry's revision is that of the commit
///   that wrote it last, also after a restart; a re-created key never shows an old revision.
/// - **S5** A scan returns every key with the prefix and after the given key, in byte order, up to
///   the limit, as of one moment.
/// - **S6** An answered commit survives a crash of the store and of the machine's processes.
/// - **S7** Of commits that race on the same condition at most one takes effect.
/// - **S8** A transaction, key or value above the bounds is refused with `Invalid` and writes nothing.
#[async_trait]
pub trait StateStore: fmt::Debug + Send + Sync + 'static {
    /// The entry of a key.
    ///
    /// # Errors
    /// `Retry` if the store cannot be reached now; `Corrupt`, `Stopped` as their kinds say.
    ///
    /// # Cancel safety
    /// Cancel safe.
    async fn read(&self, key: &Key) -> Result<Option<Entry>, Error>;

    /// Entries whose keys begin with `prefix`, after `after` if given, in byte order.
    ///
    /// `limit` is cut to [`SCAN_MAX`]; fewer entries than asked mean that there are no more.
    ///
    /// # Errors
    /// As [`StateStore::read`].
    ///
    /// # Cancel safety
    /// Cancel safe.
    async fn scan(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, Error>;

    /// Commits a transaction durably.
    ///
    /// # Errors
    /// `NotApplied(Conflict)` if a condition does not hold: read and decide again.
    /// `InDoubt` if the outcome is not known: read one of the written keys.
    ///
    /// # Cancel safety
    /// Not cancel safe: a dropped call is in doubt.
    async fn commit(&self, transaction: Transaction) -> Result<Revision, Failure>;
}

#[async_trait]
impl<T: StateStore + ?Sized> StateStore for std::sync::Arc<T> {
    async fn read(&self, key: &Key) -> Result<Option<Entry>, Error> {
        (**self).read(key).await
    }
    async fn scan(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, Error> {
        (**self).scan(prefix, after, limit).await
    }
    async fn commit(&self, transaction: Transaction) -> Result<Revision, Failure> {
        (**self).commit(transaction).await
    }
}
