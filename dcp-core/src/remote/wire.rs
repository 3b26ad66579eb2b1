//! Bodies: one version byte, then one message as postcard writes it, and nothing after it.

pub(super) mod messages;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Failure};

/// Largest body of a request or an answer, in bytes.
pub const BODY_MAX_BYTES: usize = 16 << 20;
/// Largest payload of an operation's request or answer, in bytes: room is left for the frame.
pub const OPERATION_PAYLOAD_MAX_BYTES: usize = BODY_MAX_BYTES - 64;
/// About how many bytes of records one read answers; a single larger record is answered alone.
pub const READ_MAX_BYTES: usize = 4 << 20;
/// Most records that one read answers.
pub const READ_MAX_RECORDS: usize = 10_000;

/// What bodies are written in.
pub(super) const VERSION: u8 = 1;
/// Media type of every body; an answer without it is not from one of our servers.
pub(super) const MEDIA_TYPE: &str = "application/vnd.dcp.remote";

/// What every answer holds. A read never answers in doubt.
pub(super) type Answer<T> = Result<T, Failure>;

/// Writes a message; `capacity` is about how many bytes it will take.
///
/// # Errors
/// `Invalid` if it cannot be written or is above [`BODY_MAX_BYTES`].
pub(super) fn encode<T: Serialize + ?Sized>(message: &T, capacity: usize) -> Result<Bytes, Error> {
    let mut body = Vec::with_capacity(capacity.min(BODY_MAX_BYTES) + 1);
    body.push(VERSION);
    let body = postcard::to_extend(message, body)
        .map_err(|cause| Error::invalid("unwritable-message", format!("message: {cause}")))?;
    if body.len() > BODY_MAX_BYTES {
        return Err(Error::invalid(
            "message-too-large",
            format!("message of {} bytes: at most {BODY_MAX_BYTES}; ask or send less at once", body.len()),
        ));
    }
    Ok(Bytes::from(body))
}

/// Reads a message.
///
/// # Errors
/// `Invalid` for another version, for bytes that are no such message, and for bytes after it.
pub(super) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let message = match body.split_first() {
        Some((&VERSION, message)) => message,
        Some((other, _)) => {
            return Err(Error::invalid(
                "unknown-wire-version",
                format!("message of wire version {other}: this side speaks {VERSION}; bring both to one release"),
            ));
        }
        None => return Err(Error::invalid("empty-message", "message of 0 bytes")),
    };
    let (message, rest) = postcard::take_from_bytes(message)
        .map_err(|cause| Error::invalid("unreadable-message", format!("message of {} bytes: {cause}", body.len())))?;
    if !rest.is_empty() {
        return Err(Error::invalid("trailing-bytes", format!("{} bytes after the message", rest.len())));
    }
    Ok(message)
}
