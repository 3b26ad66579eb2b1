//! What can be done to a place.

use std::time::Duration;

use super::{Conditions, Direction};

/// One fault. Places and ports are names: lower-case letters, digits, `-`, `_` and `.`, 1 to 64 of them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Fault {
    /// When, from the beginning of the plan, in whole milliseconds.
    pub at: Duration,
    /// What.
    pub kind: FaultKind,
}

/// What is done. [`super`] says what each means and how it is written in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// Stops the processes of a place where they are; connections stay open and silent.
    Pause {
        /// Whose.
        place: String,
    },
    /// Lets them go on.
    Resume {
        /// Whose.
        place: String,
    },
    /// Ends them without a word.
    Kill {
        /// Whose.
        place: String,
    },
    /// Starts them again, on what they had stored.
    Restart {
        /// Whose.
        place: String,
    },
    /// Loses what is sent that way. The other way stays open.
    Cut {
        /// Who sends.
        from: String,
        /// To whom.
        to: String,
        /// Only what is sent to this port of theirs.
        port: Option<String>,
    },
    /// Takes a cut back.
    Heal {
        /// Who sends.
        from: String,
        /// To whom.
        to: String,
        /// The port of that cut.
        port: Option<String>,
    },
    /// Changes what happens to the bytes of the connections to a place, until it is changed again.
    Link {
        /// To whom the connections are.
        place: String,
        /// Which of the two directions.
        direction: Direction,
        /// What happens from now on.
        conditions: Conditions,
    },
    /// Resets the connections to a place.
    Reset {
        /// To whom they are.
        place: String,
    },
}

impl FaultKind {
    /// What takes it back, if anything has to: a resume takes a pause back.
    #[must_use]
    pub fn undo(&self) -> Option<Self> {
        match self.clone() {
            Self::Pause { place } => Some(Self::Resume { place }),
            Self::Kill { place } => Some(Self::Restart { place }),
            Self::Cut { from, to, port } => Some(Self::Heal { from, to, port }),
            Self::Link { place, direction, conditions } if conditions != Conditions::default() => {
                Some(Self::Link { place, direction, conditions: Conditions::default() })
            }
            Self::Resume { .. } | Self::Restart { .. } | Self::Heal { .. } | Self::Link { .. } | Self::Reset { .. } => {
                None
            }
        }
    }

    /// All names in it.
    pub(super) fn names(&self) -> Vec<&str> {
        match self {
            Self::Pause { place }
            | Self::Resume { place }
            | Self::Kill { place }
            | Self::Restart { place }
            | Self::Link { place, .. }
            | Self::Reset { place } => vec![place],
            Self::Cut { from, to, port } | Self::Heal { from, to, port } => {
                [Some(from), Some(to), port.as_ref()].into_iter().flatten().map(String::as_str).collect()
            }
        }
    }
}
