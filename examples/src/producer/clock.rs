//! The clock of the evidence.

use async_trait::async_trait;
use dcp_core::clock::{Clock, Moment, SystemClock};

/// `CLOCK_MONOTONIC`: the same for every process of one boot, so that the evidence of several
/// producers compares. It does not count suspend.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct MonotonicClock;

impl MonotonicClock {
    /// The machine's clock.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

#[async_trait]
impl Clock for MonotonicClock {
    fn now(&self) -> Moment {
        SystemClock::monotonic().now()
    }

    async fn sleep_until(&self, until: Moment) {
        SystemClock::monotonic().sleep_until(until).await;
    }
}
