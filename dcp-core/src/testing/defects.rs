//! Planted defects: implementations that break exactly one clause each.
//!
//! They show that the clauses can fail, and that each notices its own defect and no other's.

pub mod broker_admin;
pub mod event_store;
pub mod resource_guard;
pub mod state_store;
