//! State stores.

#[cfg(feature = "embedded")]
pub mod embedded;
