//! A session that holds the rows of a store: no write waits for it for ever, each says who it is, and
//! readers do not notice.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dcp_core::ports::{EventStore as _, EventWriter};
use dcp_core::store::postgres::{PostgresEventSettings, PostgresEventStore};
use dcp_core::testing::fixtures::{TwoRegions, orders, slice_a, west};
use dcp_core::{ErrorKind, Failure, telemetry};
use tokio::task::JoinSet;

use crate::events::{assert_holds, batch, log, owner, session};
use crate::server::{config, fresh_schema, open_as};

/// More than the store has connections.
const PARTITIONS: u32 = 20;

#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl io::Write for Said {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn named() {
    let said = Said::default();
    let writer = said.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    // One thread, which is the one that the subscriber listens to.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tracing::subscriber::with_default(subscriber, || runtime.block_on(each_write_names_the_holder()));
    let said = String::from_utf8(said.0.lock().unwrap().clone()).unwrap();
    let reported = said.lines().filter(|line| line.contains(telemetry::LOCK_HELD)).collect::<Vec<_>>();
    assert!(!reported.is_empty() && reported.iter().all(|line| line.contains("application=\"night job\"")), "{said}");
}

async fn each_write_names_the_holder() {
    let schema = fresh_schema();
    let settings = PostgresEventSettings::new(west()).with_schema(&schema);
    let settings = settings.with_deadline(Duration::from_secs(2)).with_patience(Duration::from_millis(200));
    let store = open_as(config(), settings).await.unwrap();
    let writer: Arc<dyn EventWriter> = Arc::from(owner(&store, PARTITIONS).await.unwrap());
    // Behind a known tail from now on.
    writer.append(batch(0, 0)).await.unwrap();
    let (holder, pid, _running) = session("night job").await;
    holder.batch_execute(&format!("BEGIN; SELECT FROM {schema}.logs FOR UPDATE")).await.unwrap();

    // By one statement, in a transaction of several, at every partition at once, opening and sealing.
    let mut writes = JoinSet::new();
    for partition in 0..PARTITIONS {
        let writer = Arc::clone(&writer);
        writes.spawn(async move { writer.append(batch(partition, u64::from(partition) + 1)).await.map(drop) });
    }
    assert_holds(&store, 0..1).await;
    let mut named = 0;
    while let Some(ended) = writes.join_next().await {
        named += u32::from(is_named(ended.unwrap().unwrap_err(), pid));
    }
    // Those that got no connection while the others waited say so instead.
    assert!(named >= 15, "{named}");
    assert!(is_named(owner(&store, 1).await.map(drop).unwrap_err(), pid));
    assert!(is_named(seal(&store).await.unwrap_err(), pid));
    assert_holds(&store, 0..1).await;

    holder.batch_execute("ROLLBACK").await.unwrap();
    writer.append(batch(0, 1)).await.unwrap();
    assert_holds(&store, 0..2).await;
}

async fn seal(store: &PostgresEventStore) -> Result<(), Failure> {
    let grant = TwoRegions::new().genesis(&slice_a(&orders()));
    store.seal(&[log(0)], &grant).await.map(drop)
}

// Whichever it is, nothing was written and the same call may succeed later.
fn is_named(failure: Failure, pid: i32) -> bool {
    let Failure::NotApplied(error) = failure else { panic!("{failure}") };
    assert_eq!(error.kind(), ErrorKind::Retry, "{error}");
    let named = error.message().contains(&format!("process {pid} ")) && error.message().contains("\"night job\"");
    assert!(named == (error.code() == "lock-held"), "{error}");
    assert!(!named || error.message().contains("idle in transaction"), "{error}");
    named
}
