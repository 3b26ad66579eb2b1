//! Decompression within a bound.

use std::io::Read;

use bytes::{Buf as _, Bytes};

use super::{Compression, DECOMPRESSED_MAX_BYTES};
use crate::error::Error;

/// Java's snappy streams begin with this, a version and the oldest version that reads it.
const JAVA_SNAPPY: &[u8] = b"\x82SNAPPY\0";
const JAVA_HEADER: usize = 16;

/// The records' bytes.
pub(super) fn decompress(compression: Compression, body: &Bytes) -> Result<Bytes, Error> {
    match compression {
        Compression::None => Ok(body.clone()),
        Compression::Gzip => bounded(flate2::read::MultiGzDecoder::new(&body[..])),
        Compression::Snappy => snappy(body),
        Compression::Lz4 => bounded(lz4_flex::frame::FrameDecoder::new(&body[..])),
        Compression::Zstd => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(&body[..]).map_err(|cause| damaged(&cause))?;
            bounded(decoder)
        }
    }
}

fn bounded(source: impl Read) -> Result<Bytes, Error> {
    let mut out = Vec::new();
    let limit = DECOMPRESSED_MAX_BYTES as u64 + 1;
    source.take(limit).read_to_end(&mut out).map_err(|cause| damaged(&cause))?;
    if out.len() > DECOMPRESSED_MAX_BYTES {
        return Err(too_large());
    }
    Ok(out.into())
}

fn snappy(body: &Bytes) -> Result<Bytes, Error> {
    if !body.starts_with(JAVA_SNAPPY) {
        return bare(body, 0).map(Into::into);
    }
    let mut rest = body.get(JAVA_HEADER..).ok_or_else(|| damaged(&"its header is cut"))?;
    let mut out = Vec::new();
    while !rest.is_empty() {
        let chunk = (rest.len() >= 4).then(|| rest.get_u32() as usize).and_then(|length| rest.split_at_checked(length));
        let (chunk, after) = chunk.ok_or_else(|| damaged(&"a chunk is cut"))?;
        out.extend(bare(chunk, out.len())?);
        rest = after;
    }
    Ok(out.into())
}

fn bare(chunk: &[u8], before: usize) -> Result<Vec<u8>, Error> {
    let length = snap::raw::decompress_len(chunk).map_err(|cause| damaged(&cause))?;
    if before.saturating_add(length) > DECOMPRESSED_MAX_BYTES {
        return Err(too_large());
    }
    snap::raw::Decoder::new().decompress_vec(chunk).map_err(|cause| damaged(&cause))
}

fn damaged(cause: &dyn std::fmt::Display) -> Error {
    Error::corrupt("damaged-batch", format!("its records do not decompress: {cause}"))
}

fn too_large() -> Error {
    let message = format!("its records decompress to more than {DECOMPRESSED_MAX_BYTES} bytes");
    Error::refused("batch-too-large", message)
}
