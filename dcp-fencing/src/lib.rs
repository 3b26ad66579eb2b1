//! placeholder

pub mod election;
pub mod leases;
pub mod telemetry;
pub mod witness;
