//! Ports over HTTP: what a client may conclude, under every fault that a socket can have.

// Helpers of tests are not tests to the lint.
#![allow(clippy::unwrap_used)]

mod answers;
mod appends;
mod conformance;
mod events;
mod faults;
mod guards;
mod operation;

mod proxy;
mod rig;
mod serving;
mod time;
