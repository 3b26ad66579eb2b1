//! Writes under a stale mandate, from outside, over the old owner's own endpoint.

use serde::{Deserialize, Serialize};

use crate::verdict::StaleWrites;

/// What was tried, by resource, and the reasons that were given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct StaleReport {
    /// Counts, by resource.
    pub writes: Vec<StaleWrites>,
    /// How often each reason was given, by resource and code.
    pub reasons: std::collections::BTreeMap<String, u64>,
    /// Anything that was let through, in words; must be empty.
    pub accepted: Vec<String>,
}
