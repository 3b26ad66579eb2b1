//! Ports, ownership, signing, runbook and test kit for dual regional control planes.

pub mod appends;
pub mod clock;
pub mod control_plane;
pub mod digest;
#[cfg(feature = "embedded")]
pub mod embedded;
pub mod error;
pub mod event;
pub mod fence;
pub mod ids;
pub mod lease;
pub mod log;
pub mod memory;
pub mod operation;
pub mod ownership;
pub mod ports;
pub mod position;
pub mod recovery;
#[cfg(feature = "remote")]
pub mod remote;
pub mod runbook;
pub mod signed;
pub mod state;
pub mod store;
pub mod tasks;
#[cfg(feature = "test-util")]
pub mod testing;
pub mod treaty;

pub use error::{Error, ErrorKind, Failure, InDoubt};
