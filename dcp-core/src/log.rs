//! Logs: who appends where.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::ids::{RegionId, ScopeId};

/// Suffix of the companion scope that carries heartbeats, so that users' logs hold only users' records.
const HEARTBEAT_SUFFIX: &str = ".heartbeats";

/// One log: `(scope, origin region, partition)`.
///
/// Only the origin region ever appends to it; elsewhere it exists as a read-only mirror,
/// appended by a link alone. Written as `scope@origin/partition`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LogId {
    scope: ScopeId,
    origin: RegionId,
    partition: u32,
}

impl LogId {
    /// Names a log.
    #[must_use]
    pub fn new(scope: ScopeId, origin: RegionId, partition: u32) -> Self {
        Self { scope, origin, partition }
    }

    /// The companion log with the heartbeats that `origin` writes for `scope`.
    ///
    /// # Errors
    /// `Invalid` if the scope's name leaves no room for the suffix.
    pub fn heartbeats(scope: &ScopeId, origin: &RegionId) -> Result<Self, Error> {
        let companion = ScopeId::new(format!("{scope}{HEARTBEAT_SUFFIX}"))?;
        Ok(Self::new(companion, origin.clone(), 0))
    }

    /// Whether this is a companion log and not a user's.
    #[must_use]
    pub fn is_companion(&self) -> bool {
        self.scope.as_str().ends_with(HEARTBEAT_SUFFIX)
    }

    /// The scope.
    #[must_use]
    pub fn scope(&self) -> &ScopeId {
        &self.scope
    }

    /// The only region that appends to it.
    #[must_use]
    pub fn origin(&self) -> &RegionId {
        &self.origin
    }

    /// The partition, from 0.
    #[must_use]
    pub fn partition(&self) -> u32 {
        self.partition
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}/{}", self.scope, self.origin, self.partition)
    }
}

impl FromStr for LogId {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            let (scope, rest) = text.split_once('@')?;
            let (origin, partition) = rest.rsplit_once('/')?;
            Some((ScopeId::new(scope).ok()?, RegionId::new(origin).ok()?, partition.parse().ok()?))
        };
        let (scope, origin, partition) = parse()
            .ok_or_else(|| Error::invalid("bad-log", format!("log {text:?}: expected scope@origin/partition")))?;
        Ok(Self { scope, origin, partition })
    }
}

impl TryFrom<String> for LogId {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<LogId> for String {
    fn from(log: LogId) -> Self {
        log.to_string()
    }
}
