//! Producers that each have one batch in flight, for a while.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use benches::Batches;
use dcp_core::clock::{Clock, SystemClock};
use dcp_core::ports::event_store::{EventWriter, OwnerBatch};

/// Where batches go; it answers when they are durable.
#[async_trait]
pub(crate) trait Target: Send + Sync {
    async fn send(&self, batch: OwnerBatch);
}

/// The store.
pub(crate) struct OwnWriter(pub(crate) Arc<dyn EventWriter>);

#[async_trait]
impl Target for OwnWriter {
    async fn send(&self, batch: OwnerBatch) {
        let appended = self.0.append(batch).await.expect("an open writer");
        assert!(appended.acks.iter().all(|ack| !ack.existing), "an id was drawn twice");
    }
}

/// What some rounds gave.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    latencies: Vec<Duration>,
    took: Duration,
}

impl Figures {
    pub(crate) fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.took += other.took;
    }

    /// Batches a second.
    pub(crate) fn rate(&self) -> f64 {
        f64::from(u32::try_from(self.latencies.len()).unwrap_or(u32::MAX)) / self.took.as_secs_f64()
    }

    /// Milliseconds that 99 of 100 batches did not exceed.
    pub(crate) fn p99(&self) -> f64 {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() * 99 / 100).copied().unwrap_or_default().as_secs_f64() * 1_000.0
    }
}

/// Lets one producer for each of `batches` send until the time is over.
pub(crate) async fn produce(
    clock: &SystemClock,
    target: &Arc<dyn Target>,
    batches: &Arc<Vec<Batches>>,
    during: Duration,
) -> Figures {
    let begun = clock.now();
    let mut running = tokio::task::JoinSet::new();
    for nth in 0..batches.len() {
        let (target, batches, clock) = (Arc::clone(target), Arc::clone(batches), SystemClock::new());
        running.spawn(async move {
            let mut latencies = Vec::new();
            while clock.now().since(begun) < during {
                let (batch, sent) = (batches[nth].next(1), clock.now());
                target.send(batch).await;
                latencies.push(clock.now().since(sent));
            }
            latencies
        });
    }
    let mut figures = Figures::default();
    while let Some(ended) = running.join_next().await {
        figures.latencies.extend(ended.expect("a producer does not panic"));
    }
    figures.took = clock.now().since(begun);
    figures
}
