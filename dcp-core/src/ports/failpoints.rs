//! Places where a drill may hold or end a process; no-op unless handed in.

use std::fmt;

use async_trait::async_trait;

/// Names of the places that the library passes.
pub mod points {
    /// An append was admitted and has not been committed.
    pub const APPEND_CHECKED: &str = "append.checked";
    /// An append was committed and its lease not checked again.
    pub const APPEND_COMMITTED: &str = "append.committed";
    /// A step's intent is durable and the step has not acted. Detail: the step's id.
    pub const STEP_INTENT: &str = "step.intent";
    /// A step has acted and its outcome is not written. Detail: the step's id.
    pub const STEP_ACTED: &str = "step.acted";
    /// A step's outcome is durable. Detail: the step's id.
    pub const STEP_OUTCOME: &str = "step.outcome";
}

/// Called at named places.
#[async_trait]
pub trait Failpoints: fmt::Debug + Send + Sync + 'static {
    /// Returns when the caller may go on; a drill may hold it, or end the process here.
    async fn pass(&self, point: &'static str, detail: &str);
}

/// Lets everything pass.
#[derive(Debug, Clone, Copy, Default)]
#[allow(clippy::exhaustive_structs)]
pub struct NoFailpoints;

#[async_trait]
impl Failpoints for NoFailpoints {
    async fn pass(&self, _point: &'static str, _detail: &str) {}
}
