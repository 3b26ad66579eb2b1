//! placeholder

pub mod election;
pub mod guard;
pub mod leases;
pub mod telemetry;
pub mod witness;
