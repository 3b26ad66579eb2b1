//! Whether one thing that users depend on works.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// An answer of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum Health {
    /// Works.
    Green,
    /// Does not, with the reason.
    Red(String),
}

/// A read-only check, as a load balancer or an alert would make it.
#[async_trait]
pub trait HealthProbe: fmt::Debug + Send + Sync + 'static {
    /// Its name in reports.
    fn name(&self) -> &str;

    /// Asks now.
    ///
    /// # Errors
    /// Any; a probe that cannot be answered counts as red.
    async fn probe(&self) -> Result<Health, Error>;
}
