//! Pools of another's making: taken if their connections keep what the store promises, else refused with
//! what they lack.

use std::fs;
use std::sync::Arc;

use dcp_core::clock::SeededEntropy;
use dcp_core::store::postgres::deadpool_postgres::{Manager, Pool};
use dcp_core::store::postgres::tokio_postgres::{Config, NoTls};
use dcp_core::store::postgres::{PostgresEventSettings, PostgresEventStore};
use dcp_core::testing::fixtures::west;
use dcp_core::tls::Trust;
use dcp_core::{Error, ErrorKind, Failure};

use crate::events::{assert_holds, batch, owner, session};
use crate::server::{block_on, config, fresh_schema, open, tls};

pub(crate) fn all() {
    block_on(async {
        let schema = fresh_schema();
        drop(open(&schema).await.unwrap());
        lacking_something(&schema).await;
        of_a_role_that_changes(&schema).await;
    });
}

pub(crate) fn settings(schema: &str) -> PostgresEventSettings {
    PostgresEventSettings::new(west()).with_schema(schema)
}

fn pool(mut config: Config, options: &str, size: usize) -> Pool {
    config.options(options);
    Pool::builder(Manager::new(config, NoTls)).max_size(size).build().unwrap()
}

/// Opens a store over a pool of these options.
pub(crate) async fn over(
    config: Config,
    options: &str,
    size: usize,
    settings: PostgresEventSettings,
) -> Result<PostgresEventStore, Error> {
    let entropy = Arc::new(SeededEntropy::from_system()?);
    PostgresEventStore::from_pool(pool(config, options, size), settings, entropy).await
}

fn assert_bad(error: &Error, names: &str) {
    assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, "bad-pool"), "{error}");
    assert!(error.message().contains(names), "{error}");
    println!("  {error}");
}

async fn lacking_something(schema: &str) {
    let good = settings(schema).session_options();
    let cases = [
        (String::new(), "statement_timeout"),
        (format!("{good} -c statement_timeout=6000"), "statement_timeout"),
        (format!("{good} -c lock_timeout=0"), "lock_timeout"),
        (format!("{good} -c idle_in_transaction_session_timeout=0"), "idle_in_transaction_session_timeout"),
        (format!("{good} -c synchronous_commit=off"), "synchronous_commit"),
    ];
    for (options, names) in cases {
        assert_bad(&over(config(), &options, 4, settings(schema)).await.unwrap_err(), names);
    }
    assert_bad(&over(config(), &good, 1, settings(schema)).await.unwrap_err(), "one connection");
    let trust = Trust::in_authorities(&fs::read(tls().authority()).unwrap()).unwrap();
    let trusting = settings(schema).with_trust(trust);
    assert_bad(&over(config(), &good, 4, trusting.clone()).await.unwrap_err(), "not encrypted");
    let entropy = SeededEntropy::new(1, "migration");
    let error = PostgresEventStore::migrate(pool(config(), &good, 4), &trusting, &entropy).await.unwrap_err();
    assert_bad(&error, "not encrypted");
}

// The role's setting is turned under an open store: what its next connection would write is refused.
async fn of_a_role_that_changes(schema: &str) {
    let good = settings(schema).session_options().replace("-c synchronous_commit=on", "");
    let store = over(config(), &good, 2, settings(schema)).await.unwrap();
    let writer = owner(&store, 1).await.unwrap();
    writer.append(batch(0, 0)).await.unwrap();
    let (admin, pid, _running) = session("switch").await;
    admin.batch_execute("ALTER ROLE postgres SET synchronous_commit = off").await.unwrap();
    let others = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                  WHERE backend_type = 'client backend' AND pid <> $1";
    admin.query_one(others, &[&pid]).await.unwrap();
    let error = loop {
        match writer.append(batch(0, 1)).await {
            Err(Failure::NotApplied(error)) if error.kind() != ErrorKind::Retry => break Some(error),
            // A connection whose end it had not heard of.
            Err(_) => {}
            Ok(_) => break None,
        }
    };
    admin.batch_execute("ALTER ROLE postgres RESET synchronous_commit").await.unwrap();
    assert_bad(&error.unwrap(), "synchronous_commit");
    assert_holds(&store, 0..1).await;
    writer.append(batch(0, 1)).await.unwrap();
    assert_holds(&store, 0..2).await;
}
