//! Where the witness keeps what, and in which form.

use dcp_core::Error;
use dcp_core::ids::{RegionId, SliceRef};
use dcp_core::ownership::{Epoch, WriteGrant};
use dcp_core::ports::{Entry, Kept, Key, LeaseReading, LeaseRenewal, Shown, StoreIdentity};
use dcp_core::signed::{Envelope, Keyring};
use serde::{Deserialize, Serialize};

/// Everything of one slice: its head, then its records.
pub(crate) fn slice_prefix(slice: &SliceRef) -> String {
    format!("ownership/{}/{}/", slice.scope, slice.slice)
}

pub(crate) fn head_key(slice: &SliceRef) -> Result<Key, Error> {
    Key::new(format!("{}head", slice_prefix(slice)))
}

/// Padded, so that byte order is the order of epochs.
pub(crate) fn record_key(slice: &SliceRef, epoch: Epoch) -> Result<Key, Error> {
    Key::new(format!("{}record/{:020}", slice_prefix(slice), epoch.get()))
}

pub(crate) fn lease_key(region: &RegionId) -> Result<Key, Error> {
    Key::new(format!("lease/{region}"))
}

/// Value of a lease's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredLease {
    sequence: u64,
    slices: Vec<(SliceRef, Epoch)>,
    store: StoreIdentity,
    kept: Kept,
    readmitted: bool,
}

impl StoredLease {
    pub(crate) fn of(renewal: &LeaseRenewal, sequence: u64) -> Self {
        Self::of_reading(&LeaseReading::of(renewal, sequence, 0))
    }

    /// The same lease, with its region readmitted.
    pub(crate) fn readmitting(reading: &LeaseReading) -> Self {
        Self { readmitted: true, ..Self::of_reading(reading) }
    }

    fn of_reading(reading: &LeaseReading) -> Self {
        Self {
            sequence: reading.sequence,
            slices: reading.slices.iter().map(|(slice, epoch)| (slice.clone(), *epoch)).collect(),
            store: reading.store,
            kept: reading.kept.clone(),
            readmitted: reading.readmitted,
        }
    }

    pub(crate) fn to_value(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(self).map_err(|cause| Error::invalid("unwritable-lease", cause.to_string()))
    }
}

pub(crate) fn read_lease(region: &RegionId, entry: &Entry) -> Result<LeaseReading, Error> {
    let stored: StoredLease = serde_json::from_slice(&entry.value)
        .map_err(|cause| Error::corrupt("bad-lease", format!("{}: {cause}", entry.key)))?;
    let renewal = LeaseRenewal::new(region.clone(), stored.slices.into_iter().collect(), stored.store)
        .with_continuity(stored.kept, Shown::default());
    let mut reading = LeaseReading::of(&renewal, stored.sequence, entry.revision.get());
    reading.readmitted = stored.readmitted;
    Ok(reading)
}

pub(crate) fn write_grant(grant: &WriteGrant) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(grant.envelope()).map_err(|cause| Error::invalid("unwritable-grant", cause.to_string()))
}

/// Reads and verifies a stored record; whatever is wrong with it, the witness's data contradict
/// themselves.
pub(crate) fn read_grant(keyring: &Keyring, entry: &Entry) -> Result<WriteGrant, Error> {
    let corrupt = |cause: &dyn std::fmt::Display| Error::corrupt("bad-ownership", format!("{}: {cause}", entry.key));
    let envelope: Envelope = serde_json::from_slice(&entry.value).map_err(|cause| corrupt(&cause))?;
    keyring.open_by_issuer(&envelope).map_err(|cause| corrupt(&cause))
}
