//! In-memory models of the ports, for tests and simulation.
//!
//! A model pretends to stand on a disk: a write is answered once it is synced, and a crash loses
//! what was not. Handles are cheap to clone and show one store, so that a simulated region can
//! crash and open again on what was durable. Everything is gone with the last handle.

mod broker_admin;
mod disk;
mod event_store;
mod state_store;

pub use broker_admin::MemoryBrokerAdmin;
pub use disk::SyncHold;
pub use event_store::{EventBackup, MemoryEventStore};
pub use state_store::{MemoryStateStore, StateBackup};
