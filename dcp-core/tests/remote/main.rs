//! Ports over HTTP: what a client may conclude, under every fault that a socket can have.

mod answers;
mod faults;
mod operation;
mod ports;
mod proxy;
mod rig;
mod serving;
mod time;
