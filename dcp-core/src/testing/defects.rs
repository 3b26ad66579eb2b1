//! Planted defects: each makes exactly one clause fail, so that the clauses are known to bite.

pub mod resource_guard;
