//! The store-to-store link against the clauses of its port, planted defects, random schedules, and
//! what it says to operators.

mod conformance;
mod exposure;
mod heartbeats;
mod parity;
mod plain_link;
mod simulation;
mod store_fixture;
mod throttle;
