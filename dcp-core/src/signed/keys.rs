//! Keys, key sets and the keyring of a treaty.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::envelope::{Envelope, PAYLOAD_MAX_BYTES, SIGNATURES_MAX, Signature};
use super::{Issued, Signed, Statement};
use crate::error::Error;
use crate::ids::{KeyId, RegionId};

/// What a set of keys may vouch for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum Role {
    /// One region's own acts: ownership, terms, journal heads.
    Local,
    /// What both regions must agree to: the treaty.
    Cross,
}

/// An Ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey(VerifyingKey);

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from(*self))
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        hex::encode(key.0.as_bytes())
    }
}

impl TryFrom<String> for PublicKey {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        let bad =
            || Error::invalid("bad-public-key", format!("public key {text:?}: expected 32 bytes in hex on the curve"));
        let mut bytes = [0; 32];
        hex::decode_to_slice(&text, &mut bytes).map_err(|_| bad())?;
        Ok(Self(VerifyingKey::from_bytes(&bytes).map_err(|_| bad())?))
    }
}

/// A private key with its name. Debug output never shows the key.
pub struct Signer {
    id: KeyId,
    key: SigningKey,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Signer {
    /// Takes the 32 secret bytes.
    #[must_use]
    pub fn new(id: KeyId, secret: &[u8; 32]) -> Self {
        Self { id, key: SigningKey::from_bytes(secret) }
    }

    /// The key's name.
    #[must_use]
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.key.verifying_key())
    }

    /// Signs a statement as one envelope.
    ///
    /// # Errors
    /// `Invalid` if the statement cannot be written as JSON or is above [`PAYLOAD_MAX_BYTES`].
    pub fn sign<T: Statement>(&self, statement: &T) -> Result<Envelope, Error> {
        let payload = serde_json::to_vec(statement)
            .map_err(|cause| Error::invalid("unwritable-statement", format!("{}: {cause}", T::PAYLOAD_TYPE)))?;
        if payload.len() > PAYLOAD_MAX_BYTES {
            return Err(Error::invalid("statement-too-large", format!("{} bytes", payload.len())));
        }
        let unsigned = Envelope::new(T::PAYLOAD_TYPE, payload.clone(), Vec::new());
        let sig = self.key.sign(&unsigned.pre_authentication_encoding()).to_bytes().to_vec();
        Ok(Envelope::new(T::PAYLOAD_TYPE, payload, vec![Signature { key: self.id.clone(), sig }]))
    }

    /// Adds this key's signature to an envelope that others have signed.
    #[must_use]
    pub fn countersign(&self, envelope: &Envelope) -> Envelope {
        let sig = self.key.sign(&envelope.pre_authentication_encoding()).to_bytes().to_vec();
        let mut signatures = envelope.signatures().to_vec();
        signatures.push(Signature { key: self.id.clone(), sig });
        Envelope::new(envelope.payload_type(), envelope.payload().to_vec(), signatures)
    }

    /// Signs raw bytes under a context, for journal heads.
    #[must_use]
    pub fn sign_bytes(&self, context: &str, bytes: &[u8]) -> Vec<u8> {
        self.key.sign(&super::envelope::pre_authentication_encoding(context, bytes)).to_bytes().to_vec()
    }
}

/// Keys of one role, and how many distinct ones must sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySet {
    name: String,
    role: Role,
    threshold: usize,
    keys: BTreeMap<KeyId, PublicKey>,
}

impl KeySet {
    /// Builds a set.
    ///
    /// # Errors
    /// `Invalid` if the threshold is zero or above the number of distinct keys.
    pub fn new(
        name: impl Into<String>,
        role: Role,
        threshold: usize,
        keys: BTreeMap<KeyId, PublicKey>,
    ) -> Result<Self, Error> {
        let set = Self { name: name.into(), role, threshold, keys };
        set.check()?;
        Ok(set)
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let distinct: BTreeSet<_> = self.keys.values().map(|key| key.0.to_bytes()).collect();
        if self.threshold == 0 || self.threshold > distinct.len() {
            return Err(Error::invalid(
                "bad-threshold",
                format!("key set {}: threshold {} of {} distinct keys", self.name, self.threshold, distinct.len()),
            ));
        }
        Ok(())
    }

    pub(crate) fn check_role(&self, wanted: Role) -> Result<(), Error> {
        if self.role == wanted {
            return Ok(());
        }
        Err(Error::invalid(
            "other-role",
            format!(
                "key set {}: its role is {:?}, and it stands where {wanted:?} keys are wanted",
                self.name, self.role
            ),
        ))
    }

    /// The set's role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Verifies, then parses: signatures by at least `threshold` distinct keys over exactly these
    /// bytes, one JSON value, nothing after it.
    ///
    /// # Errors
    /// `Refused` if too few signatures verify; `Invalid` if type, size or content is wrong.
    pub fn open<T: Statement>(&self, envelope: &Envelope) -> Result<Signed<T>, Error> {
        self.verify(envelope, T::PAYLOAD_TYPE)?;
        let statement = serde_json::from_slice(envelope.payload())
            .map_err(|cause| Error::invalid("bad-statement", format!("{}: {cause}", T::PAYLOAD_TYPE)))?;
        Ok(Signed::vouched(statement, envelope.clone(), self.name.clone()))
    }

    fn verify(&self, envelope: &Envelope, payload_type: &str) -> Result<(), Error> {
        if envelope.payload_type() != payload_type {
            return Err(Error::invalid(
                "other-payload-type",
                format!("expected {payload_type}, got {:?}", envelope.payload_type()),
            ));
        }
        if envelope.payload().len() > PAYLOAD_MAX_BYTES || envelope.signatures().len() > SIGNATURES_MAX {
            return Err(Error::invalid("envelope-too-large", format!("{payload_type}: above the bounds")));
        }
        let message = envelope.pre_authentication_encoding();
        let good: BTreeSet<[u8; 32]> =
            envelope.signatures().iter().filter_map(|signature| self.signer_of(signature, &message)).collect();
        if good.len() < self.threshold {
            return Err(Error::refused(
                "bad-signature",
                format!(
                    "{payload_type}: {} of {} needed signatures by {} verify",
                    good.len(),
                    self.threshold,
                    self.name
                ),
            ));
        }
        Ok(())
    }

    fn signer_of(&self, signature: &Signature, message: &[u8]) -> Option<[u8; 32]> {
        let key = self.keys.get(&signature.key)?;
        let parsed = ed25519_dalek::Signature::from_slice(&signature.sig).ok()?;
        key.0.verify_strict(message, &parsed).ok()?;
        Some(key.0.to_bytes())
    }

    /// Checks a signature over raw bytes made by [`Signer::sign_bytes`].
    #[must_use]
    pub fn verifies_bytes(&self, context: &str, bytes: &[u8], key: &KeyId, signature: &[u8]) -> bool {
        let message = super::envelope::pre_authentication_encoding(context, bytes);
        self.signer_of(&Signature { key: key.clone(), sig: signature.to_vec() }, &message).is_some()
    }
}

/// The key sets of a treaty: each region's `local` set, and `cross`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::exhaustive_structs)]
pub struct Keyring {
    /// Each region's own keys.
    pub local: BTreeMap<RegionId, KeySet>,
    /// What both regions must sign.
    pub cross: KeySet,
}

impl Keyring {
    /// Opens a statement that names its issuer, with that region's `local` keys: each region's set
    /// is tried, and what one of them vouches for must name that very region.
    ///
    /// # Errors
    /// `Refused` for an unknown issuer or a bad signature, `Invalid` for bad content.
    pub fn open_by_issuer<T: Issued>(&self, envelope: &Envelope) -> Result<Signed<T>, Error> {
        let mut last = Error::refused("no-keys", "the keyring has no local keys");
        for (region, set) in &self.local {
            match set.open::<T>(envelope) {
                Ok(signed) if signed.issuer() == region => return Ok(signed),
                Ok(signed) => {
                    return Err(Error::refused(
                        "signed-for-another",
                        format!("keys of {region} signed as {}", signed.issuer()),
                    ));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The `local` set of a region.
    ///
    /// # Errors
    /// `Invalid` for a region that the treaty does not know.
    pub fn local(&self, region: &RegionId) -> Result<&KeySet, Error> {
        self.local
            .get(region)
            .ok_or_else(|| Error::invalid("unknown-region", format!("the treaty has no keys of {region}")))
    }
}
