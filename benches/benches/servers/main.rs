//! Appends to and reads from an event store on a real server that the testbed starts, and the same
//! records written and read without it, in the same run: `cargo bench -p benches --bench servers --
//! --store postgres`. Rounds of both take turns, so that what else the machine does hurts both.
//!
//! A further store is one more file like `postgres.rs`, and one more arm in [`subject`].

#![allow(missing_docs, clippy::expect_used, reason = "a benchmark that cannot be set up must stop, with the reason")]

mod kafka;
mod options;
mod postgres;
mod produce;
mod read;
mod subject;

use std::process::ExitCode;
use std::sync::Arc;

use benches::{Batches, runtime};
use dcp_core::clock::SystemClock;
use dcp_core::ports::event_store::{EventWriter, WriterRole};
use dcp_core::testing::fixtures::{TwoRegions, orders, partition_log, slice_b, west};

use options::Options;
use produce::{Figures, OwnWriter, Target, produce};
use subject::Subject;

/// Partitions that all producers share.
const PARTITIONS: u32 = 16;

fn main() -> ExitCode {
    testbed::supervise::if_asked();
    let options = match Options::of(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(usage) => {
            eprintln!("{usage}");
            return ExitCode::from(2);
        }
    };
    let started = match subject::start(&options.store) {
        Ok(started) => started,
        Err(reason) => {
            println!("{}: not measured: {reason}", options.store);
            return if options.named { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    runtime().block_on(measure(&*started, &options));
    ExitCode::SUCCESS
}

async fn measure(subject: &dyn Subject, options: &Options) {
    let clock = SystemClock::new();
    let store = subject.store().await;
    let logs: Vec<_> = (0..PARTITIONS).map(|partition| partition_log(&west(), partition)).collect();
    let grant = TwoRegions::new().grant(&slice_b(&orders()), &west(), 1);
    let writer: Arc<dyn EventWriter> =
        Arc::from(store.open_writer(&logs, WriterRole::Owner(grant)).await.expect("a fresh store"));
    let own: Arc<dyn Target> = Arc::new(OwnWriter(Arc::clone(&writer)));
    let rival: Arc<dyn Target> = Arc::from(subject.rival().await);
    println!(
        "{}; {PARTITIONS} partitions, 1 event of 110 bytes a batch, {} s an arm",
        subject.conditions(),
        options.seconds
    );
    println!(
        "{:>9}  {:>10} {:>9}  {:>10} {:>9}  ratio   ({})",
        "producers",
        "store/s",
        "p99",
        "rival/s",
        "p99",
        subject.rival_is()
    );
    for &producers in &options.producers {
        // Ids that no other number of producers has drawn.
        let of = |nth| Batches::of_producer(u32::try_from(nth).unwrap_or(0) % PARTITIONS, producers * 1_000 + nth);
        let batches: Arc<Vec<_>> = Arc::new((0..producers).map(of).collect());
        let (mut ours, mut theirs) = (Figures::default(), Figures::default());
        for round in 0..=options.rounds {
            let a = produce(&clock, &rival, &batches, options.round()).await;
            let b = produce(&clock, &own, &batches, options.round()).await;
            // The first round warms connections, statements and files.
            if round > 0 {
                theirs.add(a);
                ours.add(b);
            }
        }
        println!(
            "{producers:>9}  {:>10.0} {:>6.1} ms  {:>10.0} {:>6.1} ms  {:.2}",
            ours.rate(),
            ours.p99(),
            theirs.rate(),
            theirs.p99(),
            ours.rate() / theirs.rate(),
        );
    }
    read::fill(subject, &writer, logs.len()).await;
    read::measure(&clock, &store, subject, &logs).await;
}
