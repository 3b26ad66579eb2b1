//! Plans as data, the journal of what became of them, and the driver that executes them.
//!
//! A [`Plan`] is a list of [`Step`]s; an [`ActionCatalog`] binds each to a
//! [`StepAction`](crate::ports::StepAction). The [`Driver`] writes an intent, acts, proves that the
//! effect took, and writes the outcome, each durably in the [`Journal`]: a hash chain over a
//! [`StateStore`](crate::ports::StateStore). After a crash an intent without outcome is probed and
//! never blindly repeated. Only the holder of the [`DriverLease`] can append, so that two operators
//! cannot both drive.
//!
//! It executes recovery plans of some dozens of steps. It is not a general workflow engine: steps
//! run one after the other, and a journal is held to what an operator can read.

mod chain;
// What is public in here is so for the test kit, whose planted defects replace single rules.
#[cfg_attr(not(feature = "test-util"), allow(unreachable_pub))]
mod decide;
mod drive;
mod entry;
mod export;
mod journal;
mod lease;
mod plan;
#[cfg_attr(not(feature = "test-util"), allow(unreachable_pub))]
mod rules;
mod run;
mod turn;

pub(crate) use chain::ENTRY_MAX_BYTES;
pub use chain::{Anchor, HEAD_CONTEXT};
pub use drive::{Driver, DriverParts, RunEnd, StepCheck};
pub use entry::{Direction, JournalEntry, Record, RunResult, StepResult};
pub use export::{ExportLine, Summary, verify_export};
pub use journal::{ENTRIES_MAX, Journal, OPEN_RUNS_MAX, TAKEOVER_RESERVE};
pub use lease::DriverLease;
pub use plan::{ActionCatalog, DEADLINE_MAX, PLAN_MAX_BYTES, Plan, STEPS_MAX, Step, TAKEOVER, UNDO_SUFFIX};
pub use run::{RunState, RunStatus, Stage, StepState};

#[cfg(feature = "test-util")]
pub use decide::{Course, Move, Purpose};
#[cfg(feature = "test-util")]
pub use rules::Rules;
