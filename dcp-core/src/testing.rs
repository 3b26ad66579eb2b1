//! The test kit: clauses, fixtures, simulated world, invariants and planted defects.
//!
//! A clause is an async function that returns a [`Violation`] instead of panicking, so that a
//! planted defect can be asserted as "fails exactly this clause".

pub mod defects;
#[cfg(feature = "embedded")]
pub mod disk;
pub mod event_store;
pub mod faults;
pub mod fixtures;
pub mod interrupted;
pub mod journal;
pub mod mirror_link;
pub mod resource_guard;
pub mod state_store;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// A clause that an implementation does not keep.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Violation(
    /// What was expected and what happened.
    pub String,
);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Violation {}

impl From<crate::Error> for Violation {
    fn from(error: crate::Error) -> Self {
        Self(format!("unexpected error: {error}"))
    }
}

impl From<crate::Failure> for Violation {
    fn from(failure: crate::Failure) -> Self {
        Self(format!("unexpected failure: {failure}"))
    }
}

/// What running a clause gives.
pub type ClauseFuture = Pin<Box<dyn Future<Output = Result<(), Violation>>>>;

/// One numbered clause of a contract, bound to a fixture.
#[derive(Clone, Copy)]
#[allow(clippy::exhaustive_structs)]
pub struct Clause {
    /// Its number, such as `E1`.
    pub id: &'static str,
    /// What it demands, in words.
    pub demands: &'static str,
    /// Runs it on a fresh fixture.
    pub run: fn() -> ClauseFuture,
}

impl fmt::Debug for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.demands)
    }
}

/// Ids of the clauses that fail, in the table's order.
pub async fn failing(clauses: &[Clause]) -> Vec<&'static str> {
    let mut failing = Vec::new();
    for clause in clauses {
        if (clause.run)().await.is_err() {
            failing.push(clause.id);
        }
    }
    failing
}

/// Returns a [`Violation`] unless the condition holds.
#[macro_export]
macro_rules! demand {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::testing::Violation(format!($($message)+)));
        }
    };
}
