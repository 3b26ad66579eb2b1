//! The three plans: `blackout`, `rejoin`, `switchover`, and the actions that their steps name.
//!
//! Plans start from observed state (owner per slice, link per log), never from "home owns".

mod bounds;
mod catalog;
mod exposure;
mod handover;
mod links;
mod opening;
mod ownership;
mod parts;
mod plans;
mod releasing;
mod returning;
mod sealing;
mod take_released;
mod take_run_out;
mod takeover;

pub(crate) use bounds::check_bounds;
pub use catalog::RecoveryCatalog;
pub use handover::OwnerHandover;
pub use parts::{MandateCell, Peer, PeerLeases, RecoveryParts};
pub use plans::{blackout, rejoin, switchover};
