//! Time and randomness are handed in.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// An instant on one machine's monotonic clock that counts suspend, in nanoseconds.
///
/// Comparable only with moments of the same clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(u64);

impl Moment {
    /// Takes nanoseconds since the clock's own zero.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the clock's own zero.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Later by a duration; stops at the end of the clock's range.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How long since `earlier`; zero if that is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A monotonic clock that counts suspend, and sleeping on it.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Moment;

    /// Returns once `now()` is at or past `until`.
    ///
    /// # Cancel safety
    /// Cancel safe.
    async fn sleep_until(&self, until: Moment);

    /// Returns after a duration.
    ///
    /// # Cancel safety
    /// Cancel safe.
    async fn sleep(&self, duration: Duration) {
        self.sleep_until(self.now().after(duration)).await;
    }
}

/// A clock over tokio's timer: real time in a normal runtime, virtual time in a paused one.
///
/// It does not count suspend, so that ownership leases on real machines want `SystemClock`
/// (feature `system-clock`).
#[derive(Debug)]
pub struct TokioClock {
    zero: tokio::time::Instant,
}

impl TokioClock {
    /// A clock whose zero is now. Needs a tokio runtime with time enabled.
    #[must_use]
    #[allow(clippy::disallowed_methods)] // The one place that reads tokio's clock.
    pub fn new() -> Self {
        Self { zero: tokio::time::Instant::now() }
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for TokioClock {
    #[allow(clippy::disallowed_methods)]
    fn now(&self) -> Moment {
        Moment::from_nanos(0).after(tokio::time::Instant::now().duration_since(self.zero))
    }

    #[allow(clippy::disallowed_methods)]
    async fn sleep_until(&self, until: Moment) {
        tokio::time::sleep_until(self.zero + Duration::from_nanos(until.as_nanos())).await;
    }
}

/// A clock of the machine, the same for every process of one boot: `CLOCK_BOOTTIME`, which counts
/// suspend, unless told otherwise.
#[cfg(feature = "system-clock")]
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    id: rustix::time::ClockId,
}

#[cfg(feature = "system-clock")]
impl SystemClock {
    /// `CLOCK_BOOTTIME`: what leases want.
    #[must_use]
    pub fn new() -> Self {
        Self { id: rustix::time::ClockId::Boottime }
    }

    /// `CLOCK_MONOTONIC`: does not count suspend; for stamps, never for leases.
    #[must_use]
    pub fn monotonic() -> Self {
        Self { id: rustix::time::ClockId::Monotonic }
    }
}

#[cfg(feature = "system-clock")]
impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "system-clock")]
#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Moment {
        let time = rustix::time::clock_gettime(self.id);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
        Moment::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
    }

    #[allow(clippy::disallowed_methods)] // Waking is tokio's; the deadline is checked on this clock.
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

/// Randomness, handed in so that a seed replays a run.
pub trait Entropy: fmt::Debug + Send + Sync + 'static {
    /// 32 bytes that this source has not given before.
    fn draw(&self) -> [u8; 32];
}

/// Deterministic randomness: SHA-256 over seed, purpose and a counter.
#[derive(Debug)]
pub struct SeededEntropy {
    seed: Digest,
    drawn: Mutex<u64>,
}

impl SeededEntropy {
    /// A source of its own for each purpose, so that a draw in one does not shift another.
    #[must_use]
    pub fn new(seed: u64, purpose: &str) -> Self {
        let seed = Digest::of_fields([&seed.to_be_bytes()[..], purpose.as_bytes()]);
        Self { seed, drawn: Mutex::new(0) }
    }

    /// A source whose seed is 32 bytes of the operating system's randomness: for what must never be
    /// drawn twice, such as the incarnation of a store.
    ///
    /// # Errors
    /// `Stopped` if the operating system has none to give.
    #[cfg(feature = "system-clock")]
    pub fn from_system() -> Result<Self, crate::Error> {
        let mut drawn = [0_u8; 32];
        let given = rustix::rand::getrandom(&mut drawn, rustix::rand::GetRandomFlags::empty())
            .map_err(|cause| crate::Error::stopped("no-randomness", cause.to_string()))?;
        if given < drawn.len() {
            return Err(crate::Error::stopped("no-randomness", format!("{given} of {} bytes", drawn.len())));
        }
        Ok(Self { seed: Digest::of_parts(&[&drawn]), drawn: Mutex::new(0) })
    }
}

impl Entropy for SeededEntropy {
    fn draw(&self) -> [u8; 32] {
        let mut drawn = self.drawn.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *drawn += 1;
        *Digest::of_parts(&[self.seed.as_bytes(), &drawn.to_be_bytes()]).as_bytes()
    }
}
