//! Several futures at once, in one task, and no more than so many.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use crate::error::Failure;

/// How many logs or slices are opened, sealed or asked for at once.
pub(crate) const AT_ONCE: usize = 16;

/// Waits for all of them; their outputs are in their order. Each begins when one of `most` has a place.
pub(crate) async fn at_most<F: Future>(most: usize, futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: VecDeque<(usize, F)> = futures.into_iter().enumerate().collect();
    let mut outputs: Vec<Option<F::Output>> = waiting.iter().map(|_| None).collect();
    let mut running: Vec<(usize, Pin<Box<F>>)> = Vec::new();
    poll_fn(|context| {
        loop {
            let room = most.max(1).saturating_sub(running.len()).min(waiting.len());
            running.extend(waiting.drain(..room).map(|(at, future)| (at, Box::pin(future))));
            let before = running.len();
            running.retain_mut(|(at, future)| match future.as_mut().poll(context) {
                Poll::Ready(output) => {
                    outputs[*at] = Some(output);
                    false
                }
                Poll::Pending => true,
            });
            if running.is_empty() && waiting.is_empty() {
                return Poll::Ready(());
            }
            // Whoever takes a place that came free must be polled once, or nothing wakes this task for it.
            if running.len() == before || waiting.is_empty() {
                return Poll::Pending;
            }
        }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

/// Runs effects at once, and waits for all of them.
///
/// # Errors
/// A doubt if there is one, else the first failure: what is known of one effect says nothing of another.
pub(crate) async fn all_of(
    effects: impl IntoIterator<Item = impl Future<Output = Result<(), Failure>>>,
) -> Result<(), Failure> {
    let mut failures: Vec<_> = at_most(AT_ONCE, effects).await.into_iter().filter_map(Result::err).collect();
    let doubt = failures.iter().position(|failure| matches!(failure, Failure::InDoubt(_))).unwrap_or(0);
    if failures.is_empty() { Ok(()) } else { Err(failures.swap_remove(doubt)) }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::error::Error;

    #[tokio::test]
    async fn no_more_than_so_many_run_at_once_and_their_order_is_kept() {
        let (now, most) = (Cell::new(0), Cell::new(0));
        let outputs = at_most(
            3,
            (0..10_u64).map(|number| {
                let (now, most) = (&now, &most);
                async move {
                    now.set(now.get() + 1);
                    most.set(most.get().max(now.get()));
                    for _ in 0..(number * 7) % 5 {
                        tokio::task::yield_now().await;
                    }
                    now.set(now.get() - 1);
                    number
                }
            }),
        );
        assert_eq!(outputs.await, (0..10).collect::<Vec<_>>());
        assert_eq!((now.get(), most.get()), (0, 3));
        assert!(at_most(3, std::iter::empty::<std::future::Ready<()>>()).await.is_empty());
    }

    #[tokio::test]
    async fn a_doubt_is_told_before_a_refusal() {
        let refused = || Err(Failure::NotApplied(Error::refused("no", "no")));
        let in_doubt = || Err(Failure::in_doubt("late", "late"));
        assert!(all_of([Ok(()), Ok(())].map(std::future::ready)).await.is_ok());
        let one = all_of([Ok(()), refused(), Ok(())].map(std::future::ready)).await;
        assert!(matches!(one, Err(Failure::NotApplied(_))), "{one:?}");
        let both = all_of([refused(), in_doubt(), refused()].map(std::future::ready)).await;
        assert!(matches!(both, Err(Failure::InDoubt(_))), "{both:?}");
    }
}
