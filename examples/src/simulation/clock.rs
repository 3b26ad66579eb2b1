//! A node's own clock: its zero is arbitrary and its rate is wrong, within the treaty's bound.

use std::sync::Arc;

use async_trait::async_trait;
use dcp_core::clock::{Clock, Moment};

use super::process::Process;

/// A clock that runs at another rate than the world's, and wakes nobody in a process that is held.
#[derive(Debug)]
pub(super) struct NodeClock {
    world: Arc<dyn Clock>,
    process: Arc<Process>,
    offset: u64,
    rate_ppm: i64,
}

impl NodeClock {
    pub(super) fn new(world: Arc<dyn Clock>, process: Arc<Process>, offset: u64, rate_ppm: i64) -> Self {
        Self { world, process, offset, rate_ppm }
    }
}

#[async_trait]
impl Clock for NodeClock {
    fn now(&self) -> Moment {
        let passed = self.world.now().as_nanos();
        let error = (passed / 1_000_000).saturating_mul(self.rate_ppm.unsigned_abs());
        let passed = if self.rate_ppm < 0 { passed.saturating_sub(error) } else { passed.saturating_add(error) };
        Moment::from_nanos(self.offset.saturating_add(passed))
    }

    async fn sleep_until(&self, until: Moment) {
        loop {
            let left = until.since(self.now());
            if left.is_zero() {
                break;
            }
            self.world.sleep(left).await;
        }
        self.process.awake().await;
    }
}
