//! Throttle: users' records per second, as pure arithmetic on handed-in moments.

use dcp_core::clock::Moment;

const NANOS: u128 = 1_000_000_000;

/// A token bucket; it holds a tenth of a second, and at least one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Throttle {
    rate: Option<u64>,
    /// In records times 10^9.
    credit: u128,
    counted: Moment,
}

impl Throttle {
    /// An empty bucket; no rate: no limit.
    pub(crate) fn new(rate: Option<u64>, now: Moment) -> Self {
        Self { rate, credit: 0, counted: now }
    }

    /// Changes the rate; what was saved up under the old one is given up.
    pub(crate) fn set_rate(&mut self, rate: Option<u64>, now: Moment) {
        if self.rate != rate {
            *self = Self::new(rate, now);
        }
    }

    /// Records that may be copied now; none: no limit.
    pub(crate) fn allowance(&mut self, now: Moment) -> Option<u64> {
        let rate = self.rate?;
        let earned = now.since(self.counted).as_nanos().saturating_mul(u128::from(rate));
        let most = if rate == 0 { 0 } else { (u128::from(rate) * NANOS / 10).max(NANOS) };
        self.credit = self.credit.saturating_add(earned).min(most);
        self.counted = now;
        Some(u64::try_from(self.credit / NANOS).unwrap_or(u64::MAX))
    }

    /// Takes what was copied.
    pub(crate) fn spend(&mut self, records: u64) {
        self.credit = self.credit.saturating_sub(u128::from(records) * NANOS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn no_rate_is_no_limit_and_zero_is_a_stop() {
        let start = Moment::from_nanos(0);
        let later = start.after(Duration::from_secs(60));
        assert_eq!(Throttle::new(None, start).allowance(later), None);
        assert_eq!(Throttle::new(Some(0), start).allowance(later), Some(0));
        assert_eq!(Throttle::new(Some(3), start).allowance(later), Some(1));
    }

    proptest! {
        #[test]
        fn never_above_the_rate_and_one_bucket(rate in 1_u64..5_000, steps in prop::collection::vec(0_u64..400, 1..200)) {
            let mut now = Moment::from_nanos(0);
            let mut throttle = Throttle::new(Some(rate), now);
            let mut copied = 0_u64;
            let mut elapsed = 0_u64;
            for step in steps {
                now = now.after(Duration::from_millis(step));
                elapsed += step;
                let allowed = throttle.allowance(now).unwrap();
                throttle.spend(allowed);
                copied += allowed;
            }
            prop_assert!(copied <= rate * elapsed / 1_000 + 1);
        }
    }
}
