//! Everything that was written, read again.

use std::sync::Arc;
use std::time::Duration;

use benches::Batches;
use dcp_core::clock::{Clock as _, SystemClock};
use dcp_core::log::LogId;
use dcp_core::ports::event_store::{EventStore, EventWriter, ReadFrom};
use tokio::task::JoinSet;

use crate::subject::{Read, Subject};

const FILLING: usize = 1_000_000;

/// Appends what is read later, where the measured appends are too few.
pub(crate) async fn fill(subject: &dyn Subject, writer: &Arc<dyn EventWriter>, partitions: usize) {
    let Some((batches, events)) = subject.fill() else { return };
    let mut running = JoinSet::new();
    for partition in 0..partitions {
        // Ids that no measured producer has drawn.
        let drawn = Batches::of_producer(u32::try_from(partition).unwrap_or(0), FILLING + partition);
        let writer = Arc::clone(writer);
        running.spawn(async move {
            for _ in 0..batches {
                writer.append(drawn.next(events)).await.expect("an open writer");
            }
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.expect("a producer does not panic");
    }
}

pub(crate) async fn measure(clock: &SystemClock, store: &Arc<dyn EventStore>, subject: &dyn Subject, logs: &[LogId]) {
    for round in ["first", "second"] {
        let ours = own(clock, store, logs, subject.reads_together()).await;
        println!("{round} read: store {ours}");
        match subject.read_rival(ours.records).await {
            Err(reason) => println!("{round} read: rival not measured: {reason}"),
            Ok(theirs) => {
                println!(
                    "{round} read: rival {theirs}; ratio {:.2} by time{}",
                    ours.rate() / theirs.rate(),
                    by_cpu(&ours, &theirs)
                );
            }
        }
    }
}

fn by_cpu(ours: &Read, theirs: &Read) -> String {
    let per_second = |read: &Read| read.cpu_seconds.map(|seconds| read.rate() * read.seconds / seconds);
    match (per_second(ours), per_second(theirs)) {
        (Some(ours), Some(theirs)) => format!(", {:.2} by CPU", ours / theirs),
        _ => String::new(),
    }
}

async fn own(clock: &SystemClock, store: &Arc<dyn EventStore>, logs: &[LogId], together: bool) -> Read {
    let (cpu, begun) = (cpu_seconds(), clock.now());
    let mut records = 0;
    if together {
        let mut running = JoinSet::new();
        for log in logs {
            let (store, log) = (Arc::clone(store), log.clone());
            running.spawn(async move { one(&*store, &log).await });
        }
        while let Some(ended) = running.join_next().await {
            records += ended.expect("a reader does not panic");
        }
    } else {
        for log in logs {
            records += one(&**store, log).await;
        }
    }
    let seconds = clock.now().since(begun).as_secs_f64();
    Read { records, seconds, cpu_seconds: Some(cpu_seconds() - cpu) }
}

async fn one(store: &dyn EventStore, log: &LogId) -> u64 {
    let mut reader = store.open_reader(log, ReadFrom::Start).await.expect("a log of the store");
    let mut records = 0;
    loop {
        let page = reader.next(2_000, Duration::ZERO).await.expect("a page");
        if page.is_empty() {
            return records;
        }
        records += page.len() as u64;
    }
}

// User and system time of this process, from the kernel's hundredths of a second.
fn cpu_seconds() -> f64 {
    let line = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = line.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u32>().ok()).map_or(0.0, f64::from);
    (ticks(11) + ticks(12)) / 100.0
}
