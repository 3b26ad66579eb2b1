//! Holding a sync back, so that a test can act between a write and its durability.

use std::sync::Arc;

use tokio::sync::watch;

/// What waiters on a disk are told of.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// Number of holds that are not yet dropped.
    pub(super) holds: usize,
    /// Whether a write waits to be synced.
    pub(super) waiting: bool,
    /// The disk's life.
    pub(super) life: u64,
}

impl Pulse {
    pub(super) fn settled(&mut self) {
        self.waiting = false;
    }

    pub(super) fn crashed(&mut self, life: u64) {
        self.waiting = false;
        self.life = life;
    }
}

/// While it lives, writes of its store are staged and neither synced nor answered.
#[derive(Debug)]
#[must_use = "a dropped hold holds nothing"]
pub struct SyncHold {
    pulse: Arc<watch::Sender<Pulse>>,
}

impl SyncHold {
    pub(super) fn on(pulse: Arc<watch::Sender<Pulse>>) -> Self {
        pulse.send_modify(|pulse| pulse.holds += 1);
        Self { pulse }
    }

    /// Returns once a write is staged and waits to be synced.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn write_waits(&self) {
        // The sender is held here, so that the wait cannot end for want of one.
        let _ = self.pulse.subscribe().wait_for(|pulse| pulse.waiting).await;
    }
}

impl Drop for SyncHold {
    fn drop(&mut self) {
        self.pulse.send_modify(|pulse| pulse.holds = pulse.holds.saturating_sub(1));
    }
}
