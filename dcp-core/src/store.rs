//! Event stores, and the decisions that all of them share.
//!
//! Whatever a store keeps its bytes in, what an append may write is decided in one place: `append`
//! for batches, `admission` for writers, fences and readers.

pub(crate) mod admission;
pub(crate) mod append;
