//! Errors say what the caller must do; failures of effects never lose an unknown outcome.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What the caller must do. Closed on purpose: a new kind changes every caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum ErrorKind {
    /// Nothing was decided; the same call may succeed later. Back off and repeat.
    Retry,
    /// What you decided from has moved: read again and decide again.
    Conflict,
    /// Your mandate is stale: stop acting under it.
    Fenced,
    /// A rule says no; the message names the rule.
    Refused,
    /// Your input is wrong; the message names the place.
    Invalid,
    /// Stored or received data contradicts itself: stop and keep the evidence.
    Corrupt,
    /// The component was stopped or poisoned; open it again.
    Stopped,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Retry => "retry",
            Self::Conflict => "conflict",
            Self::Fenced => "fenced",
            Self::Refused => "refused",
            Self::Invalid => "invalid",
            Self::Corrupt => "corrupt",
            Self::Stopped => "stopped",
        })
    }
}

/// Why a read failed, or why an effect certainly did not happen.
///
/// `code` is stable and meant for programs; the message is meant for an operator at 3 a.m.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    kind: ErrorKind,
    code: Cow<'static, str>,
    message: String,
}

macro_rules! constructors {
    ($($name:ident => $kind:ident),* $(,)?) => {
        $(
            #[doc = concat!("An error of kind [`ErrorKind::", stringify!($kind), "`].")]
            #[must_use]
            pub fn $name(code: &'static str, message: impl Into<String>) -> Self {
                Self { kind: ErrorKind::$kind, code: Cow::Borrowed(code), message: message.into() }
            }
        )*
    };
}

impl Error {
    constructors! {
        retry => Retry, conflict => Conflict, fenced => Fenced, refused => Refused,
        invalid => Invalid, corrupt => Corrupt, stopped => Stopped,
    }

    /// What the caller must do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Stable, lower-case, dash-separated name of the cause.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Sentence for the operator: the place and the cure.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// An outcome that is unknown because of `doubt`, with this error, which came after it, as its code.
    #[cfg(feature = "kafka")]
    pub(crate) fn after_doubt(self, doubt: &Self) -> InDoubt {
        let message =
            if self == *doubt { self.message } else { format!("{}; before that: {}", self.message, doubt.message) };
        InDoubt { code: self.code, message }
    }

    /// An outcome that is unknown because of this.
    #[cfg(feature = "kafka")]
    pub(crate) fn into_doubt(self) -> InDoubt {
        InDoubt { code: self.code, message: self.message }
    }

    /// The same error with the place put before the message.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.message, self.kind, self.code)
    }
}

impl std::error::Error for Error {}

/// An effect whose outcome is not known: it may have happened, now or later.
///
/// Resolve it by the read that the port names; never by assuming either outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InDoubt {
    code: Cow<'static, str>,
    message: String,
}

impl InDoubt {
    /// An unknown outcome with its cause.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code: Cow::Borrowed(code), message: message.into() }
    }

    /// Stable name of the cause.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Sentence for the operator.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for InDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "outcome unknown: {} ({})", self.message, self.code)
    }
}

/// Why an effect did not report success.
///
/// There is no conversion from `Failure` to [`Error`], so `?` cannot lose an unknown outcome.
///
/// ```compile_fail
/// fn lose(failure: dcp_core::Failure) -> Result<(), dcp_core::Error> {
///     Err(failure)?
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum Failure {
    /// The effect certainly did not happen and will not happen later.
    NotApplied(Error),
    /// It may have happened: read before acting again.
    InDoubt(InDoubt),
}

impl Failure {
    /// The error, if the effect certainly did not happen.
    #[must_use]
    pub fn not_applied(&self) -> Option<&Error> {
        match self {
            Self::NotApplied(error) => Some(error),
            Self::InDoubt(_) => None,
        }
    }

    /// Whether the outcome is unknown.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        matches!(self, Self::InDoubt(_))
    }

    /// Shorthand for an unknown outcome.
    #[must_use]
    pub fn in_doubt(code: &'static str, message: impl Into<String>) -> Self {
        Self::InDoubt(InDoubt::new(code, message))
    }

    /// Stable name of the cause, whichever kind of failure this is.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::NotApplied(error) => error.code(),
            Self::InDoubt(doubt) => doubt.code(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotApplied(error) => write!(f, "not applied: {error}"),
            Self::InDoubt(doubt) => doubt.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}
