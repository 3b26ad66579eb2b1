//! Bad input and foreign stores: each a clear error, and nothing lost.

use std::time::Duration;

use dcp_core::ErrorKind;
use dcp_core::ports::EventSource as _;
use dcp_core::store::postgres::PostgresEventSettings;
use dcp_core::store::postgres::tokio_postgres::{Config, NoTls};
use dcp_core::testing::fixtures::{east, west};

use crate::server::{block_on, config, fresh_schema, open, open_as};

pub(crate) fn all() {
    block_on(async {
        nobody_answers().await;
        wrong_password().await;
        read_only().await;
        foreign_stores().await;
        bad_settings().await;
        never_cured_by_waiting().await;
    });
}

async fn refused(config: Config, kind: ErrorKind, code: &str) {
    let settings = PostgresEventSettings::new(west()).with_schema(fresh_schema()).with_deadline(Duration::from_secs(1));
    let error = open_as(config, settings).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (kind, code), "{error}");
}

async fn nobody_answers() {
    let at = |port| {
        let mut config = Config::new();
        config.host("127.0.0.1").port(port).user("postgres").dbname("postgres");
        config
    };
    refused(at(1), ErrorKind::Retry, "connection-lost").await;
    // Accepts, and never says a word.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    refused(at(mute.local_addr().unwrap().port()), ErrorKind::Retry, "no-answer").await;
}

async fn wrong_password() {
    let (admin, connection) = config().connect(NoTls).await.unwrap();
    let mut running = tokio::task::JoinSet::new();
    running.spawn(connection);
    admin.batch_execute("CREATE ROLE clerk LOGIN PASSWORD 'right'").await.unwrap();
    let mut clerk = config();
    clerk.user("clerk").password("wrong");
    refused(clerk.clone(), ErrorKind::Refused, "not-authorised").await;
    // The right password, and no right to make a schema.
    clerk.password("right");
    refused(clerk, ErrorKind::Refused, "not-permitted").await;
}

async fn read_only() {
    let schema = fresh_schema();
    let store = open(&schema).await.unwrap();
    drop(store);
    let (admin, connection) = config().connect(NoTls).await.unwrap();
    let mut running = tokio::task::JoinSet::new();
    running.spawn(connection);
    admin.batch_execute("ALTER ROLE postgres SET default_transaction_read_only = on").await.unwrap();
    let error = open(&schema).await.unwrap_err();
    admin.batch_execute("SET default_transaction_read_only = off; ALTER ROLE postgres RESET ALL").await.unwrap();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, "read-only-server"), "{error}");
}

async fn foreign_stores() {
    let schema = fresh_schema();
    let store = open(&schema).await.unwrap();
    let of_east = PostgresEventSettings::new(east()).with_schema(&schema);
    assert_eq!(open_as(config(), of_east).await.unwrap_err().code(), "other-region");
    let (admin, connection) = config().connect(NoTls).await.unwrap();
    let mut running = tokio::task::JoinSet::new();
    running.spawn(connection);
    let change = |text: &str| text.replace("SCHEMA", &schema);
    // As after a dump and a restore into another cluster.
    admin.batch_execute(&change("UPDATE SCHEMA.store SET system_identifier = system_identifier + 1")).await.unwrap();
    let error = store.identity().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Corrupt, "other-cluster"), "{error}");
    assert_eq!(open(&schema).await.unwrap_err().code(), "other-cluster");
    admin.batch_execute(&change("UPDATE SCHEMA.store SET system_identifier = system_identifier - 1")).await.unwrap();
    // As after a newer service has migrated it.
    admin.batch_execute(&change("INSERT INTO SCHEMA.schema_version VALUES (99)")).await.unwrap();
    let error = open(&schema).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, "newer-schema"), "{error}");
}

async fn bad_settings() {
    let odd = PostgresEventSettings::new(west()).with_schema("Robert'; DROP TABLE records");
    assert_eq!(open_as(config(), odd).await.unwrap_err().code(), "bad-schema-name");
    let hasty = PostgresEventSettings::new(west()).with_deadline(Duration::ZERO);
    assert_eq!(open_as(config(), hasty).await.unwrap_err().code(), "bad-interval");
}

async fn never_cured_by_waiting() {
    let mut nowhere = config();
    nowhere.dbname("nowhere");
    refused(nowhere, ErrorKind::Invalid, "no-database").await;
    let mut odd = config();
    odd.options("-c geqo_threshold=1");
    refused(odd, ErrorKind::Invalid, "bad-server-setting").await;
    let endless = PostgresEventSettings::new(west()).with_deadline(Duration::MAX);
    assert_eq!(open_as(config(), endless).await.unwrap_err().code(), "bad-interval");
    let reserved = PostgresEventSettings::new(west()).with_schema("pg_store");
    assert_eq!(open_as(config(), reserved).await.unwrap_err().code(), "bad-schema-name");
}
