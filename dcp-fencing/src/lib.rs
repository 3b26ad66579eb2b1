//! placeholder

pub mod election;
pub mod telemetry;
pub mod witness;
