//! How long a read may come no further. Pure.
//!
//! A log may take longer to read than any one call may take, so that a deadline is on progress: each
//! request has one, and so has the time without any.

use std::time::Duration;

use crate::clock::Moment;

/// Where a read has come to, and since when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    at: i64,
    since: Moment,
    most: Duration,
}

impl Patience {
    pub(super) fn new(at: i64, now: Moment, most: Duration) -> Self {
        Self { at, since: now, most }
    }

    /// Whether it is still worth a wait, with the read at this offset by now.
    pub(super) fn lasts(&mut self, at: i64, now: Moment) -> bool {
        if at > self.at {
            (self.at, self.since) = (at, now);
        }
        now.since(self.since) < self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_without_progress_and_not_with_it() {
        let second = |count| Moment::default().after(Duration::from_secs(count));
        let mut patience = Patience::new(7, second(0), Duration::from_secs(5));
        assert!((1..100).all(|now| patience.lasts(7 + i64::try_from(now).unwrap(), second(now))));
        assert!(patience.lasts(106, second(103)));
        assert!(!patience.lasts(106, second(104)));
        assert!(patience.lasts(107, second(104)));
    }
}
