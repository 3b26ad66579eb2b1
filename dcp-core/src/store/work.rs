//! What a writing session asks of its store, and what it is answered.

use crate::ports::event_store::{Appended, CopyBatch, OwnerBatch};
use crate::position::PrefixDigest;

/// What one caller asks.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    Append(OwnerBatch),
    Copy(CopyBatch),
}

/// What it is answered.
#[derive(Debug)]
pub(crate) enum Done {
    Appended(Appended),
    Copied(PrefixDigest),
}
