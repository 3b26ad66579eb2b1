//! How long something may take. Real servers live in real time.

use std::thread::sleep;
use std::time::{Duration, Instant};

const BETWEEN_TRIES: Duration = Duration::from_millis(25);

/// A moment until which something is tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    began: Instant,
    within: Duration,
}

impl Deadline {
    /// From now on.
    #[allow(clippy::disallowed_methods, reason = "a real server is waited for, which no handed-in clock hurries")]
    pub(crate) fn within(within: Duration) -> Self {
        Self { began: Instant::now(), within }
    }

    /// How long it has been waited.
    pub(crate) fn waited(&self) -> Duration {
        self.began.elapsed()
    }

    /// How long there is still to wait.
    pub(crate) fn left(&self) -> Duration {
        self.within.saturating_sub(self.waited())
    }

    /// Waits a moment; false when there is no time left.
    pub(crate) fn another_try(&self) -> bool {
        if self.left().is_zero() {
            return false;
        }
        sleep(BETWEEN_TRIES.min(self.left()));
        true
    }
}
