//! Bounds of batches, events and cursors.

use bytes::Bytes;

use crate::error::Error;
use crate::event::{NewEvent, Record, StreamId};
use crate::ports::event_store::{
    BATCH_MAX_BYTES, BATCH_MAX_EVENTS, CURSOR_MAX_BYTES, CopyBatch, Cursor, EVENT_MAX_BYTES, OwnerBatch,
    STREAM_MAX_BYTES,
};

/// Checks the bounds of an owner's batch.
///
/// # Errors
/// `Invalid` with the bound that is passed and the place.
pub(crate) fn check_owner_batch(batch: &OwnerBatch) -> Result<(), Error> {
    check_length(batch.events.len(), batch.events.iter().map(event_bytes).sum())?;
    check_cursor(batch.cursor.as_ref())?;
    for event in &batch.events {
        check_event(&event.stream, &event.event_type, event_bytes(event)).map_err(|error| error.at(event.id))?;
    }
    Ok(())
}

/// Checks the bounds of a mirror's batch.
///
/// # Errors
/// `Invalid` with the bound that is passed and the place.
pub(crate) fn check_copy_batch(batch: &CopyBatch) -> Result<(), Error> {
    check_length(batch.records.len(), batch.records.iter().map(record_bytes).sum())?;
    check_cursor(batch.cursor.as_ref())?;
    for record in &batch.records {
        check_event(&record.stream, &record.event_type, record_bytes(record)).map_err(|error| error.at(record.id))?;
    }
    Ok(())
}

/// Payload, key and headers of an event, in bytes.
pub(crate) fn event_bytes(event: &NewEvent) -> usize {
    size(event.key.as_ref(), &event.payload, &event.headers)
}

/// Payload, key and headers of a record, in bytes.
pub(crate) fn record_bytes(record: &Record) -> usize {
    size(record.key.as_ref(), &record.payload, &record.headers)
}

fn check_length(events: usize, bytes: usize) -> Result<(), Error> {
    if events > BATCH_MAX_EVENTS {
        return Err(Error::invalid("batch-too-large", format!("{events} events, at most {BATCH_MAX_EVENTS}")));
    }
    if bytes > BATCH_MAX_BYTES {
        return Err(Error::invalid("batch-too-large", format!("{bytes} bytes, at most {BATCH_MAX_BYTES}")));
    }
    Ok(())
}

fn check_cursor(cursor: Option<&Cursor>) -> Result<(), Error> {
    match cursor {
        Some(cursor) if cursor.value.len() > CURSOR_MAX_BYTES => Err(Error::invalid(
            "cursor-too-large",
            format!("{}: {} bytes, at most {CURSOR_MAX_BYTES}", cursor.name, cursor.value.len()),
        )),
        _ => Ok(()),
    }
}

fn check_event(stream: &StreamId, event_type: &str, size: usize) -> Result<(), Error> {
    if size > EVENT_MAX_BYTES {
        return Err(Error::invalid("event-too-large", format!("{size} bytes, at most {EVENT_MAX_BYTES}")));
    }
    let longest = stream.as_str().len().max(event_type.len());
    if longest > STREAM_MAX_BYTES {
        return Err(Error::invalid(
            "stream-too-long",
            format!("stream or event type of {longest} bytes, at most {STREAM_MAX_BYTES}"),
        ));
    }
    Ok(())
}

fn size(key: Option<&Bytes>, payload: &Bytes, headers: &[(String, Bytes)]) -> usize {
    let headers: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    key.map_or(0, Bytes::len) + payload.len() + headers
}
