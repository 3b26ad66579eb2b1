//! Ports over HTTP/1.1 on loopback, behind a bearer key; nothing is anonymous.
//!
//! A [`RemoteServer`] offers what a region lends to its peers, its producers and its operator. A
//! [`RemoteEndpoint`] is one such server as a client sees it, and `RemoteStateStore`,
//! `RemoteEventSource`, `RemoteAppends` and `RemoteGuard` are the ports behind it.
//!
//! # What an outcome means
//! A read that fails on the way is `Retry`. An effect is `NotApplied` only if it is certain that no
//! byte of its request was sent, or if the server said so; whatever else goes wrong once it may have
//! left (a reset, a deadline, a truncated or unreadable answer) is `InDoubt`. No request is ever
//! repeated by itself. The server runs an effect to its end, also when its caller has gone away.
//!
//! # Limits
//! There is no encryption, so that both sides refuse any address that is not loopback. A body has at
//! most [`BODY_MAX_BYTES`]; a larger request is refused before it is sent, and a scan whose entries
//! would be larger answers `Invalid` (`answer-too-large`): ask for fewer.

mod bearer;
mod client;
mod loopback;
mod server;
mod wire;

pub use bearer::BearerKey;
pub use client::{Deadlines, RemoteAppends, RemoteEndpoint, RemoteEventSource, RemoteGuard, RemoteStateStore};
pub use server::{RemoteOperation, RemoteServer};
pub use wire::{BODY_MAX_BYTES, OPERATION_PAYLOAD_MAX_BYTES, READ_MAX_BYTES, READ_MAX_RECORDS};
