//! What can go wrong below a store, and what it means to the caller.

use std::io::ErrorKind;
use std::path::Path;

use redb::StorageError;

use crate::error::Error;

/// A failure of the file, or a contradiction in what it holds.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The storage engine failed.
    Storage(Box<redb::Error>),
    /// Stored bytes contradict themselves.
    Damaged(String),
}

macro_rules! from {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for Fault {
            fn from(cause: $error) -> Self {
                Self::Storage(Box::new(cause.into()))
            }
        })*
    };
}

from!(
    redb::Error,
    StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::DatabaseError,
    redb::SetDurabilityError,
    std::io::Error,
);

impl Fault {
    /// Stored bytes that cannot be what this program wrote.
    pub(crate) fn damaged(place: impl Into<String>) -> Self {
        Self::Damaged(place.into())
    }

    fn io_kind(&self) -> Option<ErrorKind> {
        match self {
            Self::Storage(error) => match error.as_ref() {
                redb::Error::Io(cause) => Some(cause.kind()),
                _ => None,
            },
            Self::Damaged(_) => None,
        }
    }

    /// Whether the file is open elsewhere.
    pub(crate) fn is_in_use(&self) -> bool {
        matches!(self, Self::Storage(error)
            if matches!(error.as_ref(), redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch))
    }

    /// Whether there is no file.
    pub(crate) fn is_missing(&self) -> bool {
        self.io_kind() == Some(ErrorKind::NotFound)
    }

    fn is_damage(&self) -> bool {
        match self {
            Self::Damaged(_) => true,
            Self::Storage(error) => match error.as_ref() {
                redb::Error::Io(cause) => matches!(cause.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof),
                redb::Error::Corrupted(_)
                | redb::Error::UpgradeRequired(_)
                | redb::Error::RepairAborted
                | redb::Error::TableTypeMismatch { .. }
                | redb::Error::TableIsMultimap(_)
                | redb::Error::TableDoesNotExist(_) => true,
                _ => false,
            },
        }
    }

    /// The error for the call that met the fault.
    pub(crate) fn error(&self, path: &Path) -> Error {
        let place = path.display();
        if self.is_in_use() {
            return Error::refused(
                "in-use",
                format!("{place}: another process, or another store of this one, has the file open; stop it first"),
            );
        }
        if self.is_damage() {
            return Error::corrupt(
                "damaged-file",
                format!("{place}: {self}; keep the file as evidence and restore or reseed the store"),
            );
        }
        match self.io_kind() {
            Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge) => {
                Error::retry("disk-full", format!("{place}: {self}; free space and open the store again"))
            }
            Some(ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::IsADirectory) => {
                Error::invalid("cannot-open", format!("{place}: {self}"))
            }
            _ => Error::retry("storage-failed", format!("{place}: {self}; see to the disk and open the store again")),
        }
    }

    /// The error for every later call: damage stays damage, all else is cured by opening again.
    pub(crate) fn poison(&self, path: &Path) -> Error {
        let first = self.error(path);
        match first.kind() {
            crate::ErrorKind::Corrupt => first,
            _ => Error::stopped("store-poisoned", format!("an earlier call failed: {}", first.message())),
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Storage(error) => error.fmt(f),
            Self::Damaged(place) => write!(f, "stored bytes contradict themselves at {place}"),
        }
    }
}
