//! The control plane of one region, assembled from ports.
//!
//! [`ControlPlane::run`] is one future: it campaigns, keeps the ownership leases, opens and closes
//! slices as ownership moves, watches its peers, and drives plans: those that an operator orders
//! through its [`PlaneHandle`], those that a crash left open, and a `blackout` by itself when it saw
//! a peer's lease renewed and then run out. It owns its tasks and returns after the last of them.

mod builder;
mod decide;
mod handle;
mod leading;
mod orders;
mod pacing;
mod peer_watch;
mod reconcile;
mod refolding;
mod resumption;
mod work;

pub use builder::{ControlPlane, ControlPlaneBuilder, Worker};
pub use handle::{Order, PlaneHandle, PlaneStatus, RunStatus};
pub use peer_watch::PeerWatch;
