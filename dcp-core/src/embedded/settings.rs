//! Bounds of a group commit.

/// How much one commit takes, and how much may wait for the next.
///
/// A caller beyond what may wait is held back until there is room (back-pressure).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupCommit {
    /// Most requests in one commit, at least 1.
    pub max_requests: usize,
    /// Most bytes of requests in one commit; a larger request is committed alone.
    pub max_bytes: usize,
    /// Most requests that wait, at least 1.
    pub max_waiting: usize,
    /// Most bytes of requests that wait; a larger request waits alone.
    pub max_waiting_bytes: usize,
}

impl Default for GroupCommit {
    /// 64 requests or 8 MiB a commit; 256 requests or 64 MiB waiting.
    fn default() -> Self {
        Self { max_requests: 64, max_bytes: 8 << 20, max_waiting: 256, max_waiting_bytes: 64 << 20 }
    }
}

impl GroupCommit {
    /// With this many requests and bytes in one commit.
    #[must_use]
    pub fn committing(mut self, max_requests: usize, max_bytes: usize) -> Self {
        self.max_requests = max_requests.max(1);
        self.max_bytes = max_bytes;
        self
    }

    /// With this many requests and bytes waiting.
    #[must_use]
    pub fn waiting(mut self, max_waiting: usize, max_waiting_bytes: usize) -> Self {
        self.max_waiting = max_waiting.max(1);
        self.max_waiting_bytes = max_waiting_bytes;
        self
    }
}
