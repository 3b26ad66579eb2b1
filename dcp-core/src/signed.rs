//! Signatures: exact bytes, verified before they are parsed.

mod envelope;
mod keys;

pub use envelope::{Envelope, PAYLOAD_MAX_BYTES, Signature};
pub use keys::{KeySet, Keyring, PublicKey, Role, Signer};

use std::ops::Deref;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::digest::Digest;
use crate::ids::RegionId;
use crate::ownership::Ownership;

/// Something that is signed: JSON under a payload type of its own.
pub trait Statement: Serialize + DeserializeOwned {
    /// The DSSE payload type; a signature over one type never passes for another.
    const PAYLOAD_TYPE: &'static str;
}

/// A statement that names the region whose `local` keys must have signed it.
pub trait Issued: Statement {
    /// The issuer.
    fn issuer(&self) -> &RegionId;
}

impl Issued for Ownership {
    fn issuer(&self) -> &RegionId {
        &self.issuer
    }
}

impl Issued for crate::fence::TokenBinding {
    fn issuer(&self) -> &RegionId {
        &self.term.issuer
    }
}

/// A statement whose signatures were verified. Has no public constructor: it comes from a
/// [`KeySet`] or a [`Keyring`] and remembers which set vouched for it.
#[derive(Debug, PartialEq, Eq)]
pub struct Signed<T>(Arc<Inner<T>>);

#[derive(Debug, PartialEq, Eq)]
struct Inner<T> {
    statement: T,
    envelope: Envelope,
    vouched_by: String,
}

impl<T> Clone for Signed<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Signed<T> {
    // Only the key sets of this module call it, after they have verified the envelope.
    fn vouched(statement: T, envelope: Envelope, vouched_by: String) -> Self {
        Self(Arc::new(Inner { statement, envelope, vouched_by }))
    }

    /// The exact signed bytes and their signatures.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.0.envelope
    }

    /// Name of the key set that vouched for it.
    #[must_use]
    pub fn vouched_by(&self) -> &str {
        &self.0.vouched_by
    }

    /// Digest of the signed bytes (not of the signatures).
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.envelope.payload())
    }
}

impl<T> Deref for Signed<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0.statement
    }
}
