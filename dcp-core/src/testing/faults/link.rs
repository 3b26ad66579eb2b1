//! What happens to one direction of a connection, as data.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(clippy::exhaustive_enums)]
pub enum Direction {
    /// What the client says.
    ToServer,
    /// What the server answers.
    ToClient,
}

impl Direction {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::ToServer, Self::ToClient];

    /// Its place in [`Direction::BOTH`].
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::ToServer => 0,
            Self::ToClient => 1,
        }
    }
}

/// What happens to the bytes of one direction. The default is nothing at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[allow(clippy::exhaustive_structs)]
pub struct Conditions {
    /// Each piece arrives this much later, in milliseconds.
    pub delay_ms: u64,
    /// And up to this much more, drawn from the seed; the order of the bytes stays.
    pub jitter_ms: u64,
    /// No more than this many bytes in a second; 0 means as many as there are.
    pub bytes_per_second: u64,
    /// Nothing arrives until this is taken back, and nothing is lost.
    pub stalled: bool,
    /// A connection is reset when this many of its bytes have arrived: exactly so many, no more.
    pub reset_after: Option<u64>,
}

impl Conditions {
    /// Each piece arrives later by `delay`, and by up to `jitter` more.
    #[must_use]
    pub fn delayed(delay: Duration, jitter: Duration) -> Self {
        let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Self { delay_ms: ms(delay), jitter_ms: ms(jitter), ..Self::default() }
    }

    /// So many bytes a second.
    #[must_use]
    pub fn narrow(bytes_per_second: u64) -> Self {
        Self { bytes_per_second, ..Self::default() }
    }

    /// Nothing arrives.
    #[must_use]
    pub fn stalled() -> Self {
        Self { stalled: true, ..Self::default() }
    }

    /// Reset after so many bytes.
    #[must_use]
    pub fn reset_after(bytes: u64) -> Self {
        Self { reset_after: Some(bytes), ..Self::default() }
    }
}
