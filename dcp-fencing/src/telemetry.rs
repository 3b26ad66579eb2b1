//! Names of the events that this crate reports through `tracing`, as constants, so that an alert
//! rule and the code cannot drift apart.

/// A holder took the leadership of its region.
pub const LEADER_ELECTED: &str = "fencing.leader_elected";
/// A renewal of the ownership leases got no answer that counts.
pub const RENEWAL_FAILED: &str = "fencing.renewal_failed";
/// A slice was dropped: another region owns it, or its lease ran out.
pub const SLICE_LOST: &str = "fencing.slice_lost";
/// Two issuers presented one epoch: both are refused. Page somebody.
pub const DUAL_CLAIM: &str = "fencing.dual_claim";
/// A guard was sealed.
pub const GUARD_SEALED: &str = "fencing.guard_sealed";
/// An operator has readmitted a region whose stores went back.
pub const REGION_READMITTED: &str = "fencing.region_readmitted";
