//! Everything that was written, read again.

use std::time::Duration;

use dcp_core::clock::{Clock as _, SystemClock};
use dcp_core::log::LogId;
use dcp_core::ports::event_store::{EventStore, ReadFrom};

use crate::subject::Subject;

pub(crate) async fn measure(clock: &SystemClock, store: &dyn EventStore, subject: &dyn Subject, logs: &[LogId]) {
    let rate =
        |records: u64, took: Duration| f64::from(u32::try_from(records).unwrap_or(u32::MAX)) / took.as_secs_f64();
    for round in ["first", "second"] {
        let begun = clock.now();
        let mut records = 0;
        for log in logs {
            let mut reader = store.open_reader(log, ReadFrom::Start).await.expect("a log of the store");
            loop {
                let page = reader.next(2_000, Duration::ZERO).await.expect("a page");
                if page.is_empty() {
                    break;
                }
                records += page.len() as u64;
            }
        }
        let (ours, begun) = (rate(records, clock.now().since(begun)), clock.now());
        let of_rival = subject.read_rival().await;
        let theirs = rate(of_rival, clock.now().since(begun));
        println!(
            "{round} read, one reader: store {ours:.0} records/s ({records}), rival {theirs:.0} records/s ({of_rival}), ratio {:.2}",
            ours / theirs
        );
    }
}
