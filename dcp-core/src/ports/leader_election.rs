//! Election of one leader among the control plane's replicas in one region.

use std::fmt;

use async_trait::async_trait;

use crate::error::{Error, Failure};
use crate::fence::Term;
use crate::operation::Leadership;

/// Elects a leader in one region. An election changes the term only; it never refuses a producer.
#[async_trait]
pub trait LeaderElection: fmt::Debug + Send + Sync + 'static {
    /// Waits until this holder is the leader, confirmed by a transaction on the leader's key.
    ///
    /// A holder with the same id as the present leader retakes leadership at once, under a new term.
    ///
    /// # Errors
    /// `NotApplied(Retry)` if nothing was attempted; `InDoubt` if it is not known: campaign again.
    ///
    /// # Cancel safety
    /// Not cancel safe: a dropped call may have taken the term.
    async fn campaign(&self) -> Result<Leadership, Failure>;

    /// Renews the leader's lease.
    ///
    /// # Errors
    /// `NotApplied(Fenced)` if another holder leads: stop acting. `InDoubt`: renew again before the
    /// lease runs out.
    async fn renew(&self, leadership: &Leadership) -> Result<(), Failure>;

    /// The present term, if there is one.
    ///
    /// # Errors
    /// `Retry` if the election's store cannot be reached.
    async fn current(&self) -> Result<Option<Term>, Error>;
}
