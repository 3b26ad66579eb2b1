//! How rows are packed.

use bytes::Bytes;
use dcp_core::Error;
use dcp_core::ports::state_store::VALUE_MAX_BYTES;

use crate::model::{decode, encode};
use crate::model_store::Changes;
use crate::row::RowKey;

/// Bytes of rows at which a delta is closed: a last row and lengths still fit below a value's bound.
const DELTA_BYTES: usize = VALUE_MAX_BYTES - (VALUE_MAX_BYTES >> 1);
/// Bytes that a packed row takes at most beside its key and value.
const ROW_OVERHEAD: usize = 16;

/// The bucket of a key: FNV-1a, which is the same in every process and version.
pub(super) fn bucket_of(key: &RowKey, buckets: u32) -> u32 {
    let hash = key
        .as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    u32::try_from((hash ^ (hash >> 32)) % u64::from(buckets)).unwrap_or(0)
}

/// Size of a row in a packed value, at most.
pub(super) fn weight(key: &RowKey, value: Option<&Bytes>) -> usize {
    key.as_bytes().len() + value.map_or(0, Bytes::len) + ROW_OVERHEAD
}

/// Packs changed rows into values within the bound.
pub(super) fn pack(changes: &Changes) -> Result<Vec<Bytes>, Error> {
    let mut deltas = Vec::new();
    let mut rows: Vec<(&RowKey, &Option<Bytes>)> = Vec::new();
    let mut bytes = 0;
    for (key, value) in changes {
        let weight = weight(key, value.as_ref());
        if weight > DELTA_BYTES {
            return Err(Error::invalid("row-too-large", format!("row {key:?}: {weight} bytes, at most {DELTA_BYTES}")));
        }
        if bytes + weight > DELTA_BYTES {
            deltas.push(encode(&rows)?);
            rows.clear();
            bytes = 0;
        }
        bytes += weight;
        rows.push((key, value));
    }
    if !rows.is_empty() {
        deltas.push(encode(&rows)?);
    }
    Ok(deltas)
}

/// Changed rows of one delta.
pub(super) fn unpack(delta: &[u8]) -> Result<Vec<(RowKey, Option<Bytes>)>, Error> {
    decode(delta).map_err(|error| error.at("delta of the read model"))
}
