//! Ports over HTTP: what a client may conclude, under every fault that a socket can have.

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
