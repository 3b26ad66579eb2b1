//! The proxy's time: real sockets live in real time.

use std::time::Duration;

use tokio::time::Instant;

/// Time since the proxy's start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now(Instant);

impl Now {
    #[allow(clippy::disallowed_methods, reason = "a real connection is delayed, which no handed-in clock does")]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn since_start(&self) -> Duration {
        self.0.elapsed()
    }

    #[allow(clippy::disallowed_methods, reason = "a real connection is delayed, which no handed-in clock does")]
    pub(super) async fn sleep_until(&self, moment: Duration) {
        tokio::time::sleep_until(self.0 + moment).await;
    }
}
