//! What the embedded stores share: one redb file, one owned thread that commits in groups.
//!
//! # How a store behaves
//! - **Group commit.** Callers put requests into a bounded queue. One thread takes what is there,
//!   applies it in one write transaction, commits it in two phases, and only then answers. While a
//!   commit runs, the next group gathers; nobody waits for company.
//! - **Reads** run directly on the caller's task, not on a thread pool: a read touches a few cached
//!   pages of at most 16 KB, which costs microseconds, and handing it to another thread would cost
//!   more. Calls that could touch many pages are cut into slices that yield in between.
//! - **Poison.** After a failed read, write or sync nobody knows what the disk holds, so the store
//!   answers `Stopped` to everything, reads included: a read must not deny a write that a new
//!   opening may find. Open it again once the cause is gone.

mod committer;
mod fault;
mod file;
mod queue;
mod settings;

pub use settings::GroupCommit;

pub(crate) use committer::{Applied, Committer, Ledger, Submitter};
pub(crate) use fault::Fault;
pub(crate) use file::{Content, StoreFile};
