//! What two regions start from: keys, a treaty signed by both, and the genesis of every slice.

mod files;
mod patience;
mod treaty;

pub use files::{Foundation, read_json, write_json};
pub use patience::once_free;
#[cfg(feature = "simulation")]
pub(crate) use treaty::{signer, treaty};
