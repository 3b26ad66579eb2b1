//! Fault plans as data: what is done to which place, and when. The same value hurts the simulated world and
//! real servers; each world says what its places are called and refuses what it cannot do.
//!
//! A plan prints as one line, which replays it when it is parsed again:
//!
//! ```
//! use dcp_core::testing::faults::FaultPlan;
//!
//! let line = "0ms cut west -> central; 500ms pause central; 900ms resume central";
//! let plan: FaultPlan = line.parse()?;
//! assert_eq!(plan.to_string(), line);
//! assert_eq!(plan.undone().to_string(), "0ms heal west -> central");
//! # Ok::<(), dcp_core::Error>(())
//! ```
//!
//! | In a line | Does |
//! |---|---|
//! | `pause P`, `resume P` | stops the processes of a place, lets them go on |
//! | `kill P`, `restart P` | ends them without a word, starts them again on what they had stored |
//! | `cut A -> B`, `heal A -> B` | loses what is sent from A to B, that direction only |
//! | `cut A -> B:PORT`, `heal A -> B:PORT` | the same for one port of B only |
//! | `link P to-client delay-ms=30 jitter-ms=5` | from now on, so late; `to-server` is the other direction |
//! | `link P to-client bytes-per-second=1000` | from now on, so narrow |
//! | `link P to-client stalled`, `link P to-client reset-after=3` | nothing arrives; so many bytes arrive |
//! | `link P to-client` | nothing of that any more |
//! | `reset P` | resets the connections to a place |

mod kind;
mod line;
mod link;
mod plan;
mod run;

pub use kind::{Fault, FaultKind};
pub use link::{Conditions, Direction};
pub use plan::{FAULTS_MAX, FaultPlan, LATEST};
pub use run::{Fired, NotFired, World, run};

#[cfg(test)]
mod tests;
