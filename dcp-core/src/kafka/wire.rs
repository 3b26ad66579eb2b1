//! Requests to bytes and bytes to responses. Free of I/O and of tokio, so that a blocking loop can use
//! it as well as the client.

mod api;
mod frame;
mod produce;
mod shape;

#[cfg(test)]
pub(super) use api::ALL;
pub(super) use api::{Api, Spoken};
pub(super) use frame::{Segments, body_length, correlation_of, decode, encode, text};
pub(super) use produce::encode_produce;

#[cfg(test)]
mod tests;
