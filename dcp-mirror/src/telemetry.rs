//! Names of what a link says of itself through `tracing`; the service owns the subscriber.

/// Target of every event of this crate.
pub const TARGET: &str = "dcp_mirror";
/// A link has adopted another state. Info; fields `link`, `state`.
pub const LINK_STATE: &str = "link state";
/// The source answers again, or has stopped answering. Info or warn; fields `link`, `cause`.
pub const LINK_CONNECTED: &str = "link connected";
/// See [`LINK_CONNECTED`].
pub const LINK_DISCONNECTED: &str = "link disconnected";
/// A link has stopped by itself. Error; fields `link`, `failure`.
pub const LINK_FAILED: &str = "link failed";
/// A batch was copied. Debug; fields `link`, `log`, `records`, `count`.
pub const BATCH_COPIED: &str = "batch copied";
/// The local store does not answer; the link tries again, with growing pauses. Warn; fields `link`,
/// `cause`.
pub const LOCAL_SILENT: &str = "local store silent";
/// The local end of a log is read again after an unknown outcome, a conflict or no answer. Warn; fields
/// `link`, `log`, `cause`.
pub const LOG_RESUMED: &str = "log resumed";
/// A record of a companion log is not a heartbeat; copied and not counted. Warn; fields `link`,
/// `log`, `cause`.
pub const HEARTBEAT_REFUSED: &str = "heartbeat refused";
