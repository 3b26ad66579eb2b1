//! Plans as data, the journal of what became of them, and the driver that executes them.
//!
//! A [`Plan`] is a list of [`Step`]s; an [`ActionCatalog`] binds each to a
//! [`StepAction`](crate::ports::StepAction). The `Driver` writes an intent, acts, proves that the
//! effect took, and writes the outcome, each durably in the `Journal`: a hash chain over a
//! [`StateStore`](crate::ports::StateStore). After a crash an intent without outcome is probed and
//! never blindly repeated. Only the holder of the `DriverLease` can append, so that two operators
//! cannot both drive.
//!
//! It executes recovery plans of some dozens of steps. It is not a general workflow engine: steps
//! run one after the other, and a journal is held to what an operator can read.

mod entry;
mod lease;
mod plan;

pub use entry::{Direction, JournalEntry, Record, RunResult, StepResult};
pub use lease::DriverLease;
pub use plan::{ActionCatalog, Plan, Step};
