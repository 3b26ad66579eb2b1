//! What can go wrong, in words for the person at the terminal.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a server cannot be had.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// Something is not installed. Run the cure, or skip what needs it and say so.
    Missing {
        /// What is not there.
        what: String,
        /// The command that cures it.
        cure: String,
    },
    /// A command that obtains or prepares a server has failed.
    Command {
        /// What it was for.
        doing: String,
        /// How it ended.
        ended: String,
        /// The end of what it printed.
        tail: String,
    },
    /// What was obtained is not what was asked for, twice over.
    Checksum {
        /// What it is for.
        of: String,
        /// The files, each with what is wrong with it.
        wrong: Vec<String>,
    },
    /// A server does not serve in time, or has ended.
    NotReady {
        /// The instance.
        name: String,
        /// How long it was waited for.
        waited: Duration,
        /// What its protocol answered last, or how it ended.
        last: String,
        /// The end of its log.
        tail: String,
    },
    /// Nothing of that name is there.
    Unknown {
        /// What was asked for.
        what: String,
        /// What there is.
        known: String,
    },
    /// A folder whose data are kept cannot be opened.
    Kept {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        why: Kept,
    },
    /// A server cannot live in a folder of such a path. Choose another folder.
    Place {
        /// The server.
        of: String,
        /// The folder.
        folder: PathBuf,
        /// What is in its path.
        what: String,
    },
    /// A recipe names a placeholder that nobody fills.
    Placeholder(String),
    /// The supervisor of a server did not obey.
    Supervisor {
        /// The instance.
        name: String,
        /// The order.
        order: String,
        /// What it said instead.
        said: String,
    },
    /// The operating system refused.
    Io {
        /// What was being done.
        doing: String,
        /// Why not.
        source: io::Error,
    },
}

/// Why a folder whose data are kept cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kept {
    /// Another bed is open in it.
    InUse,
    /// It holds other servers, or other versions: what it holds, and what was asked for.
    Other {
        /// What is there.
        held: String,
        /// What was asked for.
        wanted: String,
    },
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => write!(f, "its servers run already, for another process"),
            Self::Other { held, wanted } => write!(f, "it holds the data of {held}, not of {wanted}"),
        }
    }
}

impl Error {
    /// For `map_err`: the operating system refused `doing`.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// For `map_err`: as [`Error::io`], with the path.
    pub(crate) fn path(doing: &str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        Self::io(format!("{doing} {}", path.into().display()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { what, cure } => write!(f, "{what} is missing; cure: {cure}"),
            Self::Command { doing, ended, tail } => write!(f, "{doing}: ended {ended}\n{tail}"),
            Self::Checksum { of, wrong } => write!(f, "{of} is not what was asked for: {}", wrong.join(", ")),
            Self::NotReady { name, waited, last, tail } => {
                write!(f, "{name} does not serve after {:.1} s: {last}; its log ends:\n{tail}", waited.as_secs_f64())
            }
            Self::Unknown { what, known } => write!(f, "there is no {what}; there is {known}"),
            Self::Kept { folder, why } => write!(f, "{}: {why}", folder.display()),
            Self::Place { of, folder, what } => {
                write!(f, "{of} cannot be in {folder:?}: its path has {what}; choose another folder")
            }
            Self::Placeholder(what) => write!(f, "nobody fills the placeholder {what}"),
            Self::Supervisor { name, order, said } => {
                write!(f, "the supervisor of {name} answered \"{order}\" with: {said}")
            }
            Self::Io { doing, source } => write!(f, "{doing}: {source}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
