//! Runs some futures at once, a few at a time, within the caller's own task.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// One piece of work.
pub(crate) type Lane<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Runs all, at most `lanes` at once, and answers in the order of the input. Dropped, it drops
/// them.
pub(crate) async fn in_lanes<T>(work: Vec<Lane<'_, T>>, lanes: usize) -> Vec<T> {
    let mut waiting = work.into_iter().enumerate();
    let mut running: Vec<(usize, Lane<'_, T>)> = Vec::new();
    let mut done: Vec<(usize, T)> = Vec::new();
    loop {
        while running.len() < lanes.max(1) {
            let Some((index, future)) = waiting.next() else { break };
            running.push((index, future));
        }
        if running.is_empty() {
            break;
        }
        poll_fn(|context| {
            let before = done.len();
            running.retain_mut(|(index, future)| match future.as_mut().poll(context) {
                Poll::Ready(output) => {
                    done.push((*index, output));
                    false
                }
                Poll::Pending => true,
            });
            if done.len() > before { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, output)| output).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Semaphore;

    #[tokio::test]
    async fn answers_in_order_and_keeps_the_bound() {
        let (open, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let turn = |index| -> Lane<'_, usize> {
            let (open, most) = (&open, &most);
            Box::pin(async move {
                most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                for _ in 0..(20 - index) {
                    tokio::task::yield_now().await;
                }
                open.fetch_sub(1, Ordering::SeqCst);
                index
            })
        };
        let turns = (0..20).map(turn).collect();
        assert_eq!(in_lanes(turns, 4).await, (0..20).collect::<Vec<_>>());
        assert_eq!(most.into_inner(), 4);
    }

    #[tokio::test]
    async fn one_that_waits_for_another_is_woken() {
        let gate = Semaphore::new(0);
        let waits = async { gate.acquire().await.is_ok() };
        let opens = async {
            tokio::task::yield_now().await;
            gate.add_permits(1);
            true
        };
        let both: Vec<Lane<'_, bool>> = vec![Box::pin(waits), Box::pin(opens)];
        assert_eq!(in_lanes(both, 2).await, [true, true]);
    }
}
