//! The clock of the evidence.

use async_trait::async_trait;
use dcp_core::clock::{Clock, Moment};
use rustix::time::{ClockId, clock_gettime};

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
        let time = clock_gettime(ClockId::Monotonic);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
        Moment::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
    }

    #[allow(clippy::disallowed_methods)] // Waking is tokio's; the moment is checked on this clock.
    async fn sleep_until(&self, until: Moment) {
        loop {
            let left = until.since(self.now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }
}
