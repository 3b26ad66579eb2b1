//! Projections over scripted logs: deliveries, refolds, crashes and random histories.

// A test target has no readers of its documentation or of its public items but its own.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

mod crashes;
mod deliveries;
mod histories;
mod model_store;
mod orders;
mod refolds;
mod scripted;
mod unreliable;
mod world;
