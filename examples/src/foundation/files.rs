//! The foundation on disk: one folder for all, one file of secrets per region.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dcp_core::Error;
use dcp_core::clock::Entropy;
use dcp_core::ids::RegionId;
use dcp_core::ownership::{Ownership, WriteGrant};
use dcp_core::remote::BearerKey;
use dcp_core::signed::{Envelope, Signer};
use dcp_core::treaty::Treaty;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::treaty::{signer, treaty};
use crate::orders::Home;

/// Reads one JSON file.
///
/// # Errors
/// `Invalid` with the path if it is missing or does not hold what it should.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let bytes =
        fs::read(path).map_err(|cause| Error::invalid("unreadable-file", format!("{}: {cause}", path.display())))?;
    serde_json::from_slice(&bytes).map_err(|cause| Error::invalid("bad-file", format!("{}: {cause}", path.display())))
}

/// Writes one JSON file as a whole: beside it first, synced, then renamed.
///
/// # Errors
/// `Stopped` with the path and the cause, such as a full disk.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), Error> {
    write_whole(path, value, fs::OpenOptions::new().write(true).create(true).truncate(true))
}

/// Makes a folder, and those above it.
///
/// # Errors
/// `Stopped` with the path and the cause.
pub fn make_folder(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path)
        .map_err(|cause| Error::stopped("unwritable-folder", format!("{}: {cause}", path.display())))
}

// As `write_json`, for the owner's eyes only, from its first byte on.
fn write_secret<T: Serialize>(path: &Path, value: &T) -> Result<(), Error> {
    write_whole(path, value, fs::OpenOptions::new().write(true).create_new(true).mode(0o600))
}

fn write_whole<T: Serialize>(path: &Path, value: &T, open: &fs::OpenOptions) -> Result<(), Error> {
    let failed =
        |cause: &dyn std::fmt::Display| Error::stopped("unwritable-file", format!("{}: {cause}", path.display()));
    let text = serde_json::to_vec_pretty(value).map_err(|cause| failed(&cause))?;
    let beside = path.with_extension("tmp");
    let write = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        if let Err(cause) = fs::remove_file(&beside)
            && cause.kind() != std::io::ErrorKind::NotFound
        {
            return Err(cause);
        }
        let mut file = open.open(&beside)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        // The name must survive too.
        path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
    };
    write().map_err(|cause: std::io::Error| failed(&cause))
}

/// What a bearer key opens: who holds one of them gets no further than its door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Door {
    /// A region's appends: for producers.
    Appends,
    /// Everything else that a region offers: for its peer and its operators.
    Region,
    /// The witness's state store: for the regions.
    Witness,
}

impl Door {
    const ALL: [Self; 3] = [Self::Appends, Self::Region, Self::Witness];

    fn name(self) -> &'static str {
        match self {
            Self::Appends => "appends",
            Self::Region => "region",
            Self::Witness => "witness",
        }
    }
}

/// Keys, treaty and paths of one pair of regions.
#[derive(Debug, Clone)]
pub struct Foundation {
    folder: PathBuf,
}

impl Foundation {
    /// The foundation in a folder.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Makes keys, the treaty signed by both regions, and the genesis records.
    ///
    /// # Errors
    /// `Stopped` if the folder cannot be written; `Invalid` for a time to live that is too short.
    pub fn create(&self, ttl: Duration, entropy: &dyn Entropy) -> Result<(), Error> {
        let mut signers = BTreeMap::new();
        for home in Home::ALL {
            let (region, secret) = (home.region_id(), entropy.draw());
            write_secret(&self.secret_path(&region), &hex::encode(secret))?;
            signers.insert(region.clone(), signer(&region, &secret)?);
        }
        let treaty = treaty(ttl, &signers)?;
        let mut envelope: Option<Envelope> = None;
        for signer in signers.values() {
            envelope = Some(match envelope {
                None => signer.sign(&treaty)?,
                Some(signed) => signer.countersign(&signed),
            });
        }
        let mut genesis = Vec::new();
        for slice in treaty.slices() {
            let home = treaty.scope(&slice.scope)?.home().clone();
            let signer = signers.get(&home).ok_or_else(|| Error::invalid("no-signer", home.to_string()))?;
            genesis.push(signer.sign(&Ownership::genesis(slice, home))?);
        }
        write_json(&self.folder.join("genesis.json"), &genesis)?;
        write_json(&self.folder.join("keyring.json"), treaty.keyring())?;
        for door in Door::ALL {
            write_secret(&self.bearer_path(door), &hex::encode(entropy.draw()))?;
        }
        // Last: a foundation with a treaty is whole.
        write_json(&self.folder.join("treaty.json"), &envelope)
    }

    /// Whether it was made as a whole.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.folder.join("treaty.json").exists()
    }

    fn secret_path(&self, region: &RegionId) -> PathBuf {
        self.folder.join("regions").join(region.as_str()).join("local.key.json")
    }

    /// The treaty, its signatures verified.
    ///
    /// # Errors
    /// `Invalid` or `Refused` with the file if it is missing or does not verify.
    pub fn treaty(&self) -> Result<Arc<Treaty>, Error> {
        let keyring: dcp_core::signed::Keyring = read_json(&self.folder.join("keyring.json"))?;
        let envelope: Envelope = read_json(&self.folder.join("treaty.json"))?;
        let signed = keyring.cross.open::<Treaty>(&envelope)?;
        signed.check()?;
        Ok(Arc::new(Treaty::clone(&signed)))
    }

    /// The genesis records, verified.
    ///
    /// # Errors
    /// As [`Foundation::treaty`].
    pub fn genesis(&self) -> Result<Vec<WriteGrant>, Error> {
        let treaty = self.treaty()?;
        let envelopes: Vec<Envelope> = read_json(&self.folder.join("genesis.json"))?;
        envelopes.iter().map(|envelope| treaty.keyring().open_by_issuer(envelope)).collect()
    }

    /// A region's `local` key.
    ///
    /// # Errors
    /// `Invalid` with the file if it is missing or not 32 bytes in hex.
    pub fn signer(&self, region: &RegionId) -> Result<Arc<Signer>, Error> {
        Ok(Arc::new(signer(region, &self.secret(&self.secret_path(region))?)?))
    }

    fn bearer_path(&self, door: Door) -> PathBuf {
        self.folder.join(format!("{}.bearer.json", door.name()))
    }

    /// The key that a door asks for.
    ///
    /// # Errors
    /// As [`Foundation::signer`].
    pub fn bearer(&self, door: Door) -> Result<BearerKey, Error> {
        Ok(BearerKey::from_bytes(&self.secret(&self.bearer_path(door))?))
    }

    fn secret(&self, path: &Path) -> Result<[u8; 32], Error> {
        let text: String = read_json(path)?;
        let mut secret = [0; 32];
        hex::decode_to_slice(text, &mut secret)
            .map_err(|cause| Error::invalid("bad-key-file", format!("{}: {cause}", path.display())))?;
        Ok(secret)
    }

    /// A region's own folder.
    #[must_use]
    pub fn region_folder(&self, region: &RegionId) -> PathBuf {
        self.folder.join("regions").join(region.as_str())
    }

    /// The witness's own folder.
    #[must_use]
    pub fn witness_folder(&self) -> PathBuf {
        self.folder.join("witness")
    }

    /// The folder of all.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

#[cfg(test)]
mod tests;
