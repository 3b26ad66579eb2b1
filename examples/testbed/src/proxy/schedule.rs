//! When a piece of a connection arrives. Pure; times count from the proxy's start.

use std::time::Duration;

use super::Conditions;

/// One direction of one connection.
#[derive(Debug)]
pub(super) struct Schedule {
    draws: u64,
    line_free: Duration,
}

impl Schedule {
    /// Its draws depend on the seed, the number of the connection and the direction only.
    pub(super) fn new(seed: u64, connection: u64, direction: usize) -> Self {
        let draws = mixed(mixed(seed ^ mixed(connection)).wrapping_add(direction as u64));
        Self { draws, line_free: Duration::ZERO }
    }

    /// The next draw, from 0 to below 1000, for one piece.
    pub(super) fn draw(&mut self) -> u64 {
        self.draws = self.draws.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed(self.draws) % 1000
    }

    /// When a piece of `length` bytes that came at `came` arrives.
    pub(super) fn arrives(&self, came: Duration, length: usize, draw: u64, under: &Conditions) -> Duration {
        let late = under.delay_ms.saturating_add(under.jitter_ms.saturating_mul(draw) / 1000);
        let begins = came.saturating_add(Duration::from_millis(late)).max(self.line_free);
        if under.bytes_per_second == 0 {
            return begins;
        }
        let micros = (length as u64).saturating_mul(1_000_000) / under.bytes_per_second;
        begins.saturating_add(Duration::from_micros(micros))
    }

    /// It has: the next piece cannot arrive before it.
    pub(super) fn arrived(&mut self, at: Duration) {
        self.line_free = self.line_free.max(at);
    }
}

// SplitMix64's last step.
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn the_same_seed_draws_the_same() {
        let draws = |seed, connection, direction| {
            let mut schedule = Schedule::new(seed, connection, direction);
            [(); 8].map(|()| schedule.draw())
        };
        assert_eq!(draws(1, 2, 0), draws(1, 2, 0));
        for other in [draws(2, 2, 0), draws(1, 3, 0), draws(1, 2, 1)] {
            assert_ne!(draws(1, 2, 0), other);
        }
        assert!(draws(1, 2, 0).iter().all(|draw| *draw < 1000));
    }

    #[test]
    fn delay_jitter_and_bandwidth_add_up_and_keep_the_order() {
        let mut schedule = Schedule::new(0, 0, 0);
        let under = Conditions { jitter_ms: 100, ..Conditions::delayed(MS(50), MS(0)) };
        let first = schedule.arrives(MS(0), 10, 999, &under);
        assert_eq!(first, MS(149));
        schedule.arrived(first);
        // It would have come at 60 ms, but what was said before it arrives before it.
        assert_eq!(schedule.arrives(MS(10), 10, 0, &under), first);
        assert_eq!(schedule.arrives(MS(200), 1000, 0, &Conditions::narrow(10_000)), MS(300));
        assert_eq!(schedule.arrives(MS(200), 1000, 0, &Conditions::default()), MS(200));
    }
}
