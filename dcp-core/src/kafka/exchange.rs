//! Reads and writes as bytes, without I/O, tokio or a clock: for a loop of one's own on a blocking socket, as
//! one per shard of a mirror. Records are never copied, neither way.
//!
//! Who loops so does what [`KafkaClient`](super::KafkaClient) does otherwise: finds the leader
//! ([`KafkaClient::topics`](super::KafkaClient::topics)), keeps deadlines, tries again, and proves the password
//! where a listener asks for one (a listener without one, or a client's certificate, needs nothing here).
//! Answers of one connection come in the order of its requests.
//!
//! ```no_run
//! use std::io::{Read as _, Write as _};
//! use std::net::TcpStream;
//!
//! use bytes::{Buf as _, Bytes};
//! use dcp_core::kafka::exchange::{Exchange, Outgoing, frame_length};
//! use dcp_core::kafka::{FetchFrom, FetchRequest, TopicPartition};
//!
//! fn send(stream: &mut TcpStream, mut outgoing: Outgoing) -> std::io::Result<()> {
//!     while outgoing.has_remaining() {
//!         let written = stream.write(outgoing.chunk())?;
//!         outgoing.advance(written);
//!     }
//!     Ok(())
//! }
//!
//! fn receive(stream: &mut TcpStream) -> Result<Bytes, Box<dyn std::error::Error>> {
//!     let mut prefix = [0; 4];
//!     stream.read_exact(&mut prefix)?;
//!     let mut frame = vec![0; frame_length(prefix, 16 << 20)?];
//!     stream.read_exact(&mut frame)?;
//!     Ok(frame.into())
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut stream = TcpStream::connect("127.0.0.1:9092")?;
//! let mut exchange = Exchange::new("mirror");
//! let (outgoing, greeting) = exchange.greet()?;
//! send(&mut stream, outgoing)?;
//! greeting.read(receive(&mut stream)?)?;
//! let from = FetchFrom::new(TopicPartition::new("orders", 0), 0);
//! let (outgoing, fetch) = exchange.fetch(FetchRequest::new(vec![from]))?;
//! send(&mut stream, outgoing)?;
//! for fetched in fetch.read(receive(&mut stream)?)? {
//!     println!("{}: {} bytes of batches", fetched.partition, fetched.result?.records.len());
//! }
//! # Ok(())
//! # }
//! ```

use std::io::IoSlice;
use std::time::Duration;

use bytes::{Buf, Bytes};
use kafka_protocol::messages::{ApiVersionsRequest, FetchRequest as WireFetch, ProduceRequest};

use super::client::Versions;
use super::fetch::{self, FetchRequest, Fetched};
use super::produce::{self, Produce, ProduceOutcomes};
use super::topic::TopicPartition;
use super::wire::{Segments, Spoken, body_length, correlation_of, decode, encode, encode_produce};
use crate::error::Error;

/// How many bytes of an answer follow the first four of it.
///
/// # Errors
/// `Corrupt` (`bad-frame`) if that is more than `most` bytes, or less than an answer has: close the connection.
pub fn frame_length(prefix: [u8; 4], most: usize) -> Result<usize, Error> {
    body_length(prefix, most)
}

/// A whole request in the pieces that it came in, for vectored writes.
#[derive(Debug, Clone)]
pub struct Outgoing(Segments);

impl Buf for Outgoing {
    fn remaining(&self) -> usize {
        self.0.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.0.chunk()
    }

    fn chunks_vectored<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        self.0.chunks_vectored(into)
    }

    fn advance(&mut self, by: usize) {
        self.0.advance(by);
    }
}

/// One connection's requests, which are numbered.
#[derive(Debug)]
pub struct Exchange {
    client_id: String,
    next: i32,
}

impl Exchange {
    /// Of a connection on which nothing was sent; the name stands in the broker's log.
    #[must_use]
    pub fn new(client_id: impl Into<String>) -> Self {
        Self { client_id: client_id.into(), next: 0 }
    }

    fn number(&mut self) -> i32 {
        let number = self.next;
        self.next = number.wrapping_add(1);
        number
    }

    /// The first request of a connection: which versions the broker speaks.
    ///
    /// # Errors
    /// `Invalid` if the client's name does not fit into a request.
    pub fn greet(&mut self) -> Result<(Outgoing, GreetingDue), Error> {
        let number = self.number();
        let out = encode(number, &self.client_id, &Versions::request())?;
        Ok((Outgoing(out), GreetingDue(Due(number))))
    }

    /// A read from the leader of all these partitions.
    ///
    /// # Errors
    /// `Invalid` (`bad-request`) if a partition is asked for twice or a name does not fit.
    pub fn fetch(&mut self, request: FetchRequest) -> Result<(Outgoing, FetchDue), Error> {
        let wire = fetch::whole(&request)?;
        let number = self.number();
        let out = encode(number, &self.client_id, &wire)?;
        Ok((Outgoing(out), FetchDue { due: Due(number), request }))
    }

    /// A write to the leader of all these partitions, which answers once all replicas in sync have it, or
    /// after `timeout` (to the millisecond, up to an hour) without knowing.
    ///
    /// # Errors
    /// `Invalid` (`bad-batch`) for what brokers must not see, `request-too-large`.
    pub fn produce(&mut self, write: &Produce, timeout: Duration) -> Result<(Outgoing, ProduceDue), Error> {
        write.check()?;
        let number = self.number();
        let batches: Vec<_> = write.batches.iter().map(|(at, batch)| (at, batch)).collect();
        let timeout = i32::try_from(timeout.min(Duration::from_secs(3600)).as_millis()).unwrap_or(i32::MAX);
        let out = encode_produce(number, &self.client_id, write.transactional_id.as_deref(), timeout, &batches)?;
        let wanted = write.batches.iter().map(|(at, _)| at.clone()).collect();
        Ok((Outgoing(out), ProduceDue { due: Due(number), wanted }))
    }
}

#[derive(Debug)]
struct Due(i32);

impl Due {
    fn read<R: Spoken>(&self, frame: Bytes) -> Result<R::Answer, Error> {
        if correlation_of(&frame) != Some(self.0) {
            return Err(Error::corrupt("bad-frame", format!("an answer came that is not to request {}", self.0)));
        }
        decode::<R>(frame)
    }
}

/// The answer to a greeting is due.
#[derive(Debug)]
#[must_use = "the next frame is its answer"]
pub struct GreetingDue(Due);

impl GreetingDue {
    /// Reads it from a frame without its length.
    ///
    /// # Errors
    /// `Refused` (`api-version`) if the broker does not speak what [`Exchange`] does; `Corrupt` if the frame is
    /// no such answer: close the connection.
    pub fn read(self, frame: Bytes) -> Result<(), Error> {
        let versions = Versions::of(&self.0.read::<ApiVersionsRequest>(frame)?)?;
        versions.allow(WireFetch::API, "of the connection")?;
        versions.allow(ProduceRequest::API, "of the connection")?;
        versions.allow_transactions("of the connection")
    }
}

/// The answer to a read is due.
#[derive(Debug)]
#[must_use = "the next frame is its answer"]
pub struct FetchDue {
    due: Due,
    request: FetchRequest,
}

impl FetchDue {
    /// Reads it from a frame without its length: partitions in the order in which they were asked for, records
    /// as slices of the frame.
    ///
    /// # Errors
    /// `Corrupt` if the frame is no such answer: close the connection. Of one partition as
    /// [`FetchSession::fetch`](super::FetchSession::fetch); `Retry` asks for another attempt after a pause, at
    /// the leader that is then known.
    pub fn read(self, frame: Bytes) -> Result<Vec<Fetched>, Error> {
        fetch::once(&self.request, self.due.read::<WireFetch>(frame)?)
    }
}

/// The answer to a write is due. If it never comes, the write is in doubt.
#[derive(Debug)]
#[must_use = "the next frame is its answer"]
pub struct ProduceDue {
    due: Due,
    wanted: Vec<TopicPartition>,
}

impl ProduceDue {
    /// Reads it from a frame without its length.
    ///
    /// # Errors
    /// `Corrupt` if the frame is no such answer: every batch is in doubt; close the connection. Of one batch as
    /// [`KafkaClient::produce`](super::KafkaClient::produce).
    pub fn read(self, frame: Bytes) -> Result<ProduceOutcomes, Error> {
        Ok(produce::once(&self.wanted, self.due.read::<ProduceRequest>(frame)?))
    }
}

#[cfg(test)]
mod tests;
