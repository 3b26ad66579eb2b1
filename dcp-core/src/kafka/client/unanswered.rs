//! Callers have deadlines of their own, and let go of a call before the client's has passed: the broker
//! that was asked may be one that is there and says nothing, and the next call must not ask it again.

use super::Shared;
use super::coordinators::CoordinatorOf;

/// One attempt. Dropped before its answer, it sends the next attempt elsewhere.
#[derive(Debug)]
pub(super) struct Unanswered<'a> {
    shared: Option<&'a Shared>,
    of: Option<&'a CoordinatorOf>,
}

impl<'a> Unanswered<'a> {
    pub(super) fn new(shared: &'a Shared, of: Option<&'a CoordinatorOf>) -> Self {
        Self { shared: Some(shared), of }
    }

    /// There was an answer, or a fault that the caller deals with.
    pub(super) fn disarm(mut self) {
        self.shared = None;
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(shared) = self.shared {
            shared.elsewhere(self.of);
        }
    }
}
