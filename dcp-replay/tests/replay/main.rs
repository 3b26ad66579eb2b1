//! Projections over scripted logs: deliveries, refolds, crashes and random histories.

#![allow(missing_docs)] // A test target has no readers of its documentation but its own.

mod crashes;
mod deliveries;
mod histories;
mod model_store;
mod orders;
mod refolds;
mod scripted;
mod unreliable;
mod world;
