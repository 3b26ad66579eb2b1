//! Names of the events that this crate reports through `tracing`, in their field `event`, as
//! constants, so that an alert rule and the code cannot drift apart.

/// A projection has stopped: it was given an event that contradicts what it has applied, or that it
/// cannot fold. Error; fields `projection`, `reason`. Page somebody.
pub const PROJECTION_STOPPED: &str = "replay.projection_stopped";
/// The position of a projection was refused: the log no longer holds what it says. Error; fields
/// `projection`, `error`, which names the repair.
pub const PROJECTION_REFUSED: &str = "replay.projection_refused";
/// A commit or a read failed; the projector waits, and loads its state again. Warn; fields
/// `failure`, `failures` (in a row).
pub const PROJECTOR_WAITS: &str = "replay.projector_waits";
/// Deltas of a read model were not folded into their rows; they will be later. Warn; field `failure`.
pub const FOLD_DELAYED: &str = "replay.fold_delayed";
