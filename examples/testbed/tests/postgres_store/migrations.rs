//! The schema is made once, whoever comes, how often, and however many at once.

use std::collections::BTreeSet;

use dcp_core::clock::SeededEntropy;
use dcp_core::ports::EventSource as _;
use dcp_core::store::postgres::PostgresEventSettings;
use dcp_core::store::postgres::tokio_postgres::Config;
use dcp_core::testing::fixtures::west;
use tokio::task::JoinSet;

use crate::events::{assert_holds, batch, owner, session};
use crate::server::{block_on, config, fresh_schema, open, open_as};

const AT_ONCE: u64 = 16;

pub(crate) fn all() {
    block_on(async {
        by_many_at_once().await;
        by_a_user_who_may_not_make_tables().await;
        from_the_version_before().await;
    });
}

async fn empty_database(name: &str) -> Config {
    let (admin, _, _running) = session("maker").await;
    admin.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    let mut config = config();
    config.dbname(name);
    config
}

// Each has its own pool, and would name the store by another incarnation.
async fn by_many_at_once() {
    let config = empty_database("empty").await;
    let mut running = JoinSet::new();
    for seed in 0..AT_ONCE {
        let config = config.clone();
        running.spawn(async move {
            let settings = PostgresEventSettings::new(west());
            let entropy = std::sync::Arc::new(SeededEntropy::new(seed, "migration"));
            let store = dcp_core::store::postgres::PostgresEventStore::connect(config, settings, entropy).await;
            store.unwrap().identity().await.unwrap().incarnation.to_string()
        });
    }
    let mut incarnations = BTreeSet::new();
    while let Some(ended) = running.join_next().await {
        incarnations.insert(ended.unwrap());
    }
    assert_eq!(incarnations.len(), 1, "{incarnations:?}");
    let store = open_as(config, PostgresEventSettings::new(west())).await.unwrap();
    assert!(incarnations.contains(&store.identity().await.unwrap().incarnation.to_string()));
}

async fn by_a_user_who_may_not_make_tables() {
    let schema = fresh_schema();
    drop(open(&schema).await.unwrap());
    let (admin, _, _running) = session("maker").await;
    admin
        .batch_execute(&format!(
            "CREATE ROLE worker LOGIN PASSWORD 'works'; GRANT USAGE ON SCHEMA {schema} TO worker; \
             GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA {schema} TO worker; \
             GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO worker"
        ))
        .await
        .unwrap();
    let mut worker = config();
    worker.user("worker").password("works");
    let store = open_as(worker, PostgresEventSettings::new(west()).with_schema(&schema)).await.unwrap();
    owner(&store, 1).await.unwrap().append(batch(0, 0)).await.unwrap();
    assert_holds(&store, 0..1).await;
}

// A store with an event in it, taken back to what the first version was.
async fn from_the_version_before() {
    let schema = fresh_schema();
    let store = open(&schema).await.unwrap();
    owner(&store, 1).await.unwrap().append(batch(0, 0)).await.unwrap();
    let before = store.identity().await.unwrap().incarnation;
    drop(store);
    let (admin, _, _running) = session("maker").await;
    admin
        .batch_execute(&format!(
            "ALTER TABLE {schema}.records ADD FOREIGN KEY (log_id) REFERENCES {schema}.logs; \
             CREATE SEQUENCE {schema}.commits MINVALUE 0 START 0; SELECT setval('{schema}.commits', 40); \
             ALTER TABLE {schema}.store DROP COLUMN commits_before; ALTER TABLE {schema}.logs DROP COLUMN commits; \
             DELETE FROM {schema}.schema_version WHERE version > 1"
        ))
        .await
        .unwrap();
    let mut running = JoinSet::new();
    for _ in 0..AT_ONCE {
        let schema = schema.clone();
        running.spawn(async move { open(&schema).await.unwrap() });
    }
    while let Some(ended) = running.join_next().await {
        let store = ended.unwrap();
        let identity = store.identity().await.unwrap();
        assert_eq!((identity.incarnation, identity.commit_sequence), (before, 40));
        assert_holds(&store, 0..1).await;
    }
    let versions = admin.query(&format!("SELECT version FROM {schema}.schema_version ORDER BY 1"), &[]).await.unwrap();
    assert_eq!(versions.iter().map(|row| row.get::<_, i32>(0)).collect::<Vec<_>>(), [1, 2, 3]);
    let keys =
        format!("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid = '{schema}.records'::regclass");
    assert_eq!(admin.query_one(&keys, &[]).await.unwrap().get::<_, i64>(0), 0);
}
