//! Between the clocks of journals and acknowledgements.

use dcp_core::clock::{Clock as _, SystemClock};

/// How far `CLOCK_BOOTTIME`, which journals use, is ahead of `CLOCK_MONOTONIC`, which
/// acknowledgements use.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClockOffset(u64);

impl ClockOffset {
    /// Reads both clocks. A suspend since the run would shift it by its length.
    pub(super) fn now() -> Self {
        // Monotonic first: the offset is too large by the time between the readings, never negative.
        let monotonic = SystemClock::monotonic().now().as_nanos();
        Self(SystemClock::new().now().as_nanos().saturating_sub(monotonic))
    }

    #[cfg(test)]
    pub(super) const fn of(nanos: u64) -> Self {
        Self(nanos)
    }

    pub(super) fn monotonic(self, boot_ns: u64) -> u64 {
        boot_ns.saturating_sub(self.0)
    }
}
