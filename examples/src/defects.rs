//! Planted defects: parts of a region that go wrong in one known way, so that it can be shown that
//! the drills find them.

mod endpoint;
mod process;
mod slow;
mod store;
mod tail;

pub(crate) use endpoint::OpenFromStart;
pub use process::{Planted, ProcessDefect};
pub(crate) use store::LeakySeal;
pub(crate) use tail::HidesTail;
