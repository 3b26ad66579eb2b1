//! How long a plane waits before it does again by itself what has just failed. Pure but for its lock.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Moment;
use crate::ids::RegionId;

/// Shortest pause.
const PAUSE_MIN: Duration = Duration::from_millis(250);
/// Longest pause: each attempt leaves a few entries in a journal that has a bound.
const PAUSE_MAX: Duration = Duration::from_secs(15 * 60);

/// The pause after so many failures in a row: doubled with each, from `first` up to a quarter of an hour.
pub(super) fn pause(first: Duration, failures: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(PAUSE_MAX)
}

/// The pause before a drive, or a leadership, that failed so often in a row is tried again.
pub(super) fn short_pause(failures: u32) -> Duration {
    pause(PAUSE_MIN, failures).min(PAUSE_MIN * 64)
}

/// Blackouts that the plane has started or driven, by lost region: when it may start the next by
/// itself. An operator's order is never held up.
#[derive(Debug, Default)]
pub(super) struct Automatic(Mutex<BTreeMap<RegionId, Attempts>>);

#[derive(Debug, Clone, Copy)]
struct Attempts {
    failed: u32,
    not_before: Moment,
}

impl Automatic {
    fn attempts(&self) -> MutexGuard<'_, BTreeMap<RegionId, Attempts>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one may be started now.
    pub(super) fn may_start(&self, lost: &RegionId, now: Moment) -> bool {
        self.attempts().get(lost).is_none_or(|attempts| attempts.not_before <= now)
    }

    /// One has failed, or was undone.
    pub(super) fn failed(&self, lost: &RegionId, ttl: Duration, now: Moment) {
        let mut attempts = self.attempts();
        let failed = attempts.get(lost).map_or(0, |attempts| attempts.failed).saturating_add(1);
        attempts.insert(lost.clone(), Attempts { failed, not_before: now.after(pause(ttl, failed)) });
    }

    /// One is done, or the region renews its lease again: the next loss is a new one.
    pub(super) fn forget(&self, lost: &RegionId) {
        self.attempts().remove(lost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blackout_that_keeps_failing_is_started_ever_more_seldom() {
        let (lost, ttl) = (RegionId::new("w").unwrap(), Duration::from_secs(8));
        let automatic = Automatic::default();
        let (mut now, mut started) = (Moment::from_nanos(0), 0);
        let week = now.after(Duration::from_secs(7 * 24 * 3_600));
        while now < week {
            assert!(automatic.may_start(&lost, now));
            started += 1;
            automatic.failed(&lost, ttl, now);
            assert!(!automatic.may_start(&lost, now));
            now = now.after(pause(ttl, started));
        }
        assert!(started < 700, "{started} in a week");
        automatic.forget(&lost);
        assert!(automatic.may_start(&lost, Moment::from_nanos(0)));
    }

    #[test]
    fn pauses_double_up_to_a_bound() {
        assert_eq!(short_pause(1), PAUSE_MIN);
        assert_eq!(short_pause(2), PAUSE_MIN * 2);
        assert_eq!(short_pause(u32::MAX), PAUSE_MIN * 64);
        assert_eq!(pause(Duration::from_secs(8), u32::MAX), PAUSE_MAX);
    }
}
