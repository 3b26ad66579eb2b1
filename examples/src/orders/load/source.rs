//! The bytes of a data file: unpacked, counted, hashed, and their quotes checked.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use dcp_core::digest::Digest;
use dcp_core::error::Error;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use sha2::{Digest as _, Sha256};

use super::super::line::COLUMNS;
use super::DATA_MAX_BYTES;

/// Opens a file; one whose name ends in `.zst` is unpacked while it is read.
pub(super) fn open(path: &Path) -> Result<Box<dyn Read>, Error> {
    let file =
        File::open(path).map_err(|cause| Error::invalid("unreadable-data", cause.to_string()).at(path.display()))?;
    let buffered = BufReader::new(file);
    if path.extension().is_some_and(|extension| extension == "zst") {
        Ok(Box::new(Frames { state: Frame::Before(buffered) }))
    } else {
        Ok(Box::new(buffered))
    }
}

/// All Zstandard frames of a file, one after the other; their checksums are compared.
struct Frames<R: BufRead> {
    state: Frame<R>,
}

enum Frame<R: BufRead> {
    Before(R),
    Within(Box<StreamingDecoder<R, FrameDecoder>>),
    Ended,
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::mem::replace(&mut self.state, Frame::Ended) {
                Frame::Ended => return Ok(0),
                Frame::Before(mut source) => {
                    if source.fill_buf()?.is_empty() {
                        return Ok(0);
                    }
                    let decoder = StreamingDecoder::new(source).map_err(io::Error::other)?;
                    self.state = Frame::Within(Box::new(decoder));
                }
                Frame::Within(mut decoder) => {
                    let count = decoder.read(buffer)?;
                    if count > 0 {
                        self.state = Frame::Within(decoder);
                        return Ok(count);
                    }
                    let (source, frame) = decoder.into_parts();
                    let written = frame.get_checksum_from_data();
                    if written.is_some() && written != frame.get_calculated_checksum() {
                        return Err(io::Error::other("the checksum of a Zstandard frame does not match"));
                    }
                    self.state = Frame::Before(source);
                }
            }
        }
    }
}

/// Whether the quotes are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// The digest will tell.
    Trusted,
    /// Text after a closing quote, or a quote that is never closed, is a fault. The CSV reader
    /// itself would take such a file in silence.
    Checked,
}

/// Counts and hashes what is read through it.
#[derive(Debug)]
pub(super) struct Source<R> {
    inner: R,
    hasher: Sha256,
    bytes: u64,
    quotes: Option<QuoteCheck>,
}

impl<R> Source<R> {
    pub(super) fn new(inner: R, quotes: Quotes) -> Self {
        let quotes = (quotes == Quotes::Checked).then(QuoteCheck::default);
        Self { inner, hasher: Sha256::new(), bytes: 0, quotes }
    }

    /// The first misplaced quote so far.
    pub(super) fn fault(&self) -> Option<Error> {
        self.quotes.as_ref().and_then(QuoteCheck::fault)
    }

    /// Reads on to the last byte: digest of all.
    pub(super) fn finish(mut self) -> Result<Digest, Error>
    where
        R: Read,
    {
        io::copy(&mut self, &mut io::sink())
            .map_err(|cause| Error::invalid("unreadable-data", format!("past the last line: {cause}")))?;
        if let Some(open) = self.quotes.as_ref().and_then(QuoteCheck::unclosed) {
            return Err(open);
        }
        Ok(Digest::from_bytes(self.hasher.finalize().into()))
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.bytes += count as u64;
        if self.bytes > DATA_MAX_BYTES {
            return Err(io::Error::other(format!("above {DATA_MAX_BYTES} bytes")));
        }
        self.hasher.update(&buffer[..count]);
        if let Some(quotes) = &mut self.quotes {
            buffer[..count].iter().for_each(|byte| quotes.take(*byte));
        }
        Ok(count)
    }
}

/// Follows records, fields and quotes of a CSV text, byte by byte.
#[derive(Debug, Default)]
struct QuoteCheck {
    state: State,
    // The header is record 0.
    record: u64,
    field: usize,
    fault: Option<(u64, usize)>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    RecordStart,
    FieldStart,
    Plain,
    Quoted,
    QuoteSeen,
}

impl QuoteCheck {
    fn take(&mut self, byte: u8) {
        self.state = match (self.state, byte) {
            (State::Quoted, b'"') => State::QuoteSeen,
            (State::Quoted, _) | (State::QuoteSeen, b'"') => State::Quoted,
            // An empty line is no record.
            (State::RecordStart, b'\n' | b'\r') => State::RecordStart,
            (_, b'\n' | b'\r') => {
                self.record += 1;
                self.field = 0;
                State::RecordStart
            }
            (_, b',') => {
                self.field += 1;
                State::FieldStart
            }
            (State::RecordStart | State::FieldStart, b'"') => State::Quoted,
            (State::QuoteSeen, _) => {
                self.fault.get_or_insert((self.record, self.field));
                State::Plain
            }
            _ => State::Plain,
        };
    }

    fn fault(&self) -> Option<Error> {
        let (record, field) = self.fault?;
        Some(place(record, field, "text follows a closing quote"))
    }

    fn unclosed(&self) -> Option<Error> {
        (self.state == State::Quoted).then(|| place(self.record, self.field, "a quote is never closed"))
    }
}

fn place(record: u64, field: usize, what: &str) -> Error {
    let column = COLUMNS.get(field).copied().unwrap_or("past the last");
    Error::invalid("bad-quote", format!("record {record}, field {column}: {what}"))
}
