//! How long a client waits.

use std::time::Duration;

/// Deadlines of a client's calls, each counted from the start of the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deadlines {
    effect: Duration,
    read: Duration,
    connect: Duration,
    seal: Duration,
}

impl Deadlines {
    /// The deadline of an effect (for appends, the treaty's request deadline); reads get the same,
    /// connecting a half of it, sealing, which drains, ten times it.
    #[must_use]
    pub fn new(effect: Duration) -> Self {
        Self { effect, read: effect, connect: effect / 2, seal: effect.saturating_mul(10) }
    }

    /// Another deadline for reads. A read that waits for records gets its wait on top.
    #[must_use]
    pub fn with_read(mut self, read: Duration) -> Self {
        self.read = read;
        self
    }

    /// Another deadline for connecting; the call's own still holds.
    #[must_use]
    pub fn with_connect(mut self, connect: Duration) -> Self {
        self.connect = connect;
        self
    }

    /// Another deadline for sealing a guard, which waits for what is in flight there.
    #[must_use]
    pub fn with_seal(mut self, seal: Duration) -> Self {
        self.seal = seal;
        self
    }

    /// Of an effect.
    #[must_use]
    pub fn effect(&self) -> Duration {
        self.effect
    }

    /// Of a read.
    #[must_use]
    pub fn read(&self) -> Duration {
        self.read
    }

    /// Of connecting.
    #[must_use]
    pub fn connect(&self) -> Duration {
        self.connect
    }

    /// Of sealing a guard.
    #[must_use]
    pub fn seal(&self) -> Duration {
        self.seal
    }
}
