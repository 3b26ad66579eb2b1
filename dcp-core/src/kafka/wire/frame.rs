//! A frame is a length of four bytes and that many bytes; both sides number their frames.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, BufMut as _, Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable as _, Encodable as _, HeaderVersion as _, StrBytes};

use super::api::Spoken;
use super::shape;
use crate::error::Error;

/// Bytes to send, in order, without being put together.
#[derive(Debug, Default, Clone)]
pub(crate) struct Segments {
    parts: VecDeque<Bytes>,
    length: usize,
}

impl Segments {
    pub(super) fn push(&mut self, part: Bytes) {
        self.length += part.len();
        if !part.is_empty() {
            self.parts.push_back(part);
        }
    }

    /// With its length before it.
    pub(super) fn framed(mut self) -> Result<Self, Error> {
        let length = i32::try_from(self.length).map_err(|_| {
            Error::invalid("request-too-large", format!("{} bytes do not fit into one request", self.length))
        })?;
        self.length += 4;
        self.parts.push_front(Bytes::copy_from_slice(&length.to_be_bytes()));
        Ok(self)
    }
}

impl Buf for Segments {
    fn remaining(&self) -> usize {
        self.length
    }

    fn chunk(&self) -> &[u8] {
        self.parts.front().map_or(&[], |part| part)
    }

    fn chunks_vectored<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let pairs = into.iter_mut().zip(&self.parts);
        pairs.map(|(slice, part)| *slice = IoSlice::new(part)).count()
    }

    fn advance(&mut self, mut by: usize) {
        self.length -= by;
        while by > 0 {
            let Some(part) = self.parts.front_mut() else { return };
            let here = by.min(part.len());
            part.advance(here);
            by -= here;
            if part.is_empty() {
                self.parts.pop_front();
            }
        }
    }
}

/// One request as it goes out.
pub(crate) fn encode<R: Spoken>(correlation: i32, client: &str, request: &R) -> Result<Segments, Error> {
    let mut out = head::<R>(correlation, client)?;
    request.encode(&mut out, R::API.version).map_err(|cause| unencodable::<R>(&cause))?;
    let mut segments = Segments::default();
    segments.push(out.freeze());
    segments.framed()
}

/// Everything before a request's body.
pub(super) fn head<R: Spoken>(correlation: i32, client: &str) -> Result<BytesMut, Error> {
    let header = RequestHeader::default()
        .with_request_api_key(R::API.key)
        .with_request_api_version(R::API.version)
        .with_correlation_id(correlation)
        .with_client_id(Some(StrBytes::from_string(client.to_owned())));
    let mut out = BytesMut::new();
    header.encode(&mut out, R::header_version(R::API.version)).map_err(|cause| unencodable::<R>(&cause))?;
    Ok(out)
}

fn unencodable<R: Spoken>(cause: &impl std::fmt::Display) -> Error {
    Error::invalid("bad-request", format!("{} cannot be put into bytes: {cause}", R::API.name))
}

/// How many bytes follow, from the four before them.
///
/// # Errors
/// `Corrupt` if it is negative or above `most`: nothing is reserved for it.
pub(crate) fn body_length(prefix: [u8; 4], most: usize) -> Result<usize, Error> {
    let said = i32::from_be_bytes(prefix);
    usize::try_from(said).ok().filter(|length| (4..=most).contains(length)).ok_or_else(|| {
        let message =
            format!("a frame says it has {said} bytes, from 4 to {most} are taken: no Kafka listener, or TLS");
        Error::corrupt("bad-frame", message)
    })
}

/// The number of the request that a frame answers.
pub(crate) fn correlation_of(frame: &[u8]) -> Option<i32> {
    frame.first_chunk().map(|number| i32::from_be_bytes(*number))
}

/// The answer in a frame. Byte fields of it are slices of the frame.
///
/// # Errors
/// `Corrupt` if it is not exactly such an answer.
pub(crate) fn decode<R: Spoken>(mut frame: Bytes) -> Result<R::Answer, Error> {
    let unreadable = |cause: &dyn std::fmt::Display| {
        Error::corrupt("unreadable-answer", format!("an answer to {}: {cause}", R::API.name))
    };
    let version = R::Answer::header_version(R::API.version);
    ResponseHeader::decode(&mut frame, version).map_err(|cause| unreadable(&cause))?;
    shape::check(R::SHAPE, R::API.flexible, &frame).map_err(|error| error.at(R::API.name))?;
    let answer = R::Answer::decode(&mut frame, R::API.version).map_err(|cause| unreadable(&cause))?;
    if frame.has_remaining() {
        return Err(unreadable(&format!("{} bytes too many", frame.remaining())));
    }
    Ok(answer)
}

/// A text as the codec wants it.
pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// A text of a flexible version.
pub(super) fn put_compact(out: &mut BytesMut, text: Option<&str>) {
    put_varint(out, text.map_or(0, |text| text.len() + 1));
    out.put_slice(text.unwrap_or("").as_bytes());
}

/// An unsigned number in groups of seven bits.
pub(super) fn put_varint(out: &mut BytesMut, mut number: usize) {
    let low = |number: usize| u8::try_from(number & 0x7f).unwrap_or(0x7f);
    while number >= 0x80 {
        out.put_u8(low(number) | 0x80);
        number >>= 7;
    }
    out.put_u8(low(number));
}
