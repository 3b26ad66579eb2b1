//! The server's clock decides nothing. It enters the store at one place, the column `recorded_at`, which
//! nobody reads but people; there it jumps by decades here, both ways, under each record.

use std::time::Duration;

use dcp_core::ports::{EventSource as _, EventStore as _, ReadFrom};
use dcp_core::testing::fixtures::{TwoRegions, orders, slice_a};

use crate::events::{assert_holds, batch, id, log, owner, session};
use crate::server::{block_on, fresh_schema, open};

pub(crate) fn far_off() {
    block_on(run());
}

async fn run() {
    let schema = fresh_schema();
    let store = open(&schema).await.unwrap();
    let (admin, _, _running) = session("clock").await;
    let jumps = format!(
        "ALTER TABLE {schema}.records ALTER recorded_at \
         SET DEFAULT clock_timestamp() + (random() - 0.5) * interval '60 years'"
    );
    admin.batch_execute(&jumps).await.unwrap();
    let writer = owner(&store, 1).await.unwrap();
    let mut live = store.open_reader(&log(0), ReadFrom::Start).await.unwrap();
    for number in 0..50 {
        writer.append(batch(0, number)).await.unwrap();
        let seen = live.next(10, Duration::from_secs(10)).await.unwrap();
        assert_eq!(seen.iter().map(|placed| placed.record.id).collect::<Vec<_>>(), [id(number)]);
    }
    // Times went back, or the test shows nothing.
    let back = format!(
        "SELECT count(*) FROM (SELECT recorded_at < lag(recorded_at) OVER (ORDER BY rank) AS back \
         FROM {schema}.records) AS one WHERE back"
    );
    assert!(admin.query_one(&back, &[]).await.unwrap().get::<_, i64>(0) > 5);
    let end = store.seal(&[log(0)], &TwoRegions::new().genesis(&slice_a(&orders()))).await.unwrap();
    assert_eq!(end.iter().next().unwrap().1.prefix.count, 50);
    assert_holds(&open(&schema).await.unwrap(), 0..50).await;
}
