//! Event stores, and the decisions that all of them share.
//!
//! Whatever a store keeps its bytes in, what an append may write is decided in one place: `append`
//! for batches, `admission` for writers, fences and readers.

pub(crate) mod admission;
pub(crate) mod append;
#[cfg(feature = "embedded")]
pub mod embedded;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(any(feature = "kafka", feature = "postgres"))]
pub(crate) mod lanes;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(any(feature = "embedded", feature = "postgres"))]
pub(crate) mod wakers;
#[cfg(any(feature = "embedded", feature = "kafka", feature = "postgres"))]
pub(crate) mod work;
#[cfg(any(feature = "embedded", feature = "kafka", feature = "postgres"))]
pub(crate) mod writer;
