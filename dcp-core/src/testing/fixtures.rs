//! A small signed world for tests: two regions, two scopes, keys, grants, tokens and events.
//!
//! Everything here is deterministic: the same call gives the same bytes in every test.

mod events;
mod names;
mod two_regions;

pub use events::{event, event_id, event_of, record};
pub use names::{east, holder, orders, partition_log, returns, slice_a, slice_b, west};
pub use two_regions::TwoRegions;
