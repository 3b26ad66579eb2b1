//! Effects that are cut off in the middle.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use crate::clock::{Clock as _, TokioClock};

// A store that works in threads of its own gets this far between two polls.
const BETWEEN_POLLS: Duration = Duration::from_millis(1);

/// Polls a future this often, with a short pause after each time, and answers what it gave; none
/// if it is still under way. The caller drops it, or goes on with it.
pub async fn poll_times<F: Future + ?Sized>(future: &mut Pin<Box<F>>, times: usize) -> Option<F::Output> {
    for _ in 0..times {
        let polled = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        TokioClock::new().sleep(BETWEEN_POLLS).await;
    }
    None
}
