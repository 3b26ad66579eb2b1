//! What two regions start from: keys, a treaty signed by both, and the genesis of every slice.

mod files;
mod patience;
mod treaty;

pub use files::{Door, Foundation, make_folder, read_json, write_json};
pub use patience::once_free;
pub(crate) use treaty::lease_terms;
#[cfg(feature = "simulation")]
pub(crate) use treaty::{signer, treaty};
