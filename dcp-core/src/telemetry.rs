//! Names of the events that this crate reports through `tracing`, in their field `event`, as
//! constants, so that an alert rule and the code cannot drift apart.

/// A writing transaction waits for a lock that somebody else's session holds. Warn, once for each
/// transaction and holder; fields `holder` (process id on the server), `application`, `state`,
/// `transaction_seconds`, `query_seconds`, `schema`. Page somebody if it repeats: nothing is lost, but
/// the partition cannot be written until the holder ends.
///
/// Readers have no such event: no other session's transaction can hold them back.
pub const LOCK_HELD: &str = "store.lock_held";
