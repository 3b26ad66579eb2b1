//! Names of the things that a plan, a journal or an operator talks about.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Longest name accepted, in bytes. Kafka's topic names end at 249; a mirror prefix must still fit.
pub const NAME_MAX_BYTES: usize = 160;

fn check(what: &str, name: &str) -> Result<(), Error> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > NAME_MAX_BYTES || !name.chars().all(legal) {
        return Err(Error::invalid(
            "bad-name",
            format!("{what} {name:?}: use 1 to {NAME_MAX_BYTES} of a-z, A-Z, 0-9, '.', '_', '-'"),
        ));
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(Arc<str>);

        impl $type {
            /// Checks and takes a name.
            ///
            /// # Errors
            /// `Invalid` with the rule, if the name is empty, too long or holds another character.
            pub fn new(name: impl AsRef<str>) -> Result<Self, Error> {
                check($what, name.as_ref())?;
                Ok(Self(Arc::from(name.as_ref())))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl FromStr for $type {
            type Err = Error;
            fn from_str(name: &str) -> Result<Self, Error> {
                Self::new(name)
            }
        }

        impl TryFrom<String> for $type {
            type Error = Error;
            fn try_from(name: String) -> Result<Self, Error> {
                Self::new(name)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0.as_ref().to_owned()
            }
        }
    };
}

name!(
    /// One failure domain with its own data, control, compute and observability plane.
    RegionId, "region"
);
name!(
    /// What can be owned and moved as one: a topic family such as `orders.us`.
    ScopeId, "scope"
);
name!(
    /// A fixed set of partitions of a scope, the unit of ownership.
    SliceId, "slice"
);
name!(
    /// Replication of logs from one region to another.
    LinkId, "link"
);
name!(
    /// One process that can hold leadership in its region.
    HolderId, "holder"
);
name!(
    /// A signing key within a key set.
    KeyId, "key"
);
name!(
    /// One execution of a plan.
    RunId, "run"
);
name!(
    /// One step of a plan; unique within the plan.
    StepId, "step"
);
name!(
    /// A projection and the read model that it builds.
    ProjectionId, "projection"
);
name!(
    /// A position kept under a name and committed with a batch.
    CursorName, "cursor"
);
name!(
    /// Something a guard stands at.
    ResourceId, "resource"
);

/// A slice of a scope.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct SliceRef {
    /// The scope.
    pub scope: ScopeId,
    /// The slice within it.
    pub slice: SliceId,
}

impl SliceRef {
    /// Names a slice.
    #[must_use]
    pub fn new(scope: ScopeId, slice: SliceId) -> Self {
        Self { scope, slice }
    }
}

impl fmt::Display for SliceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.scope, self.slice)
    }
}
