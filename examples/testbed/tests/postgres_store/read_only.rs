//! Servers that take no writes: in recovery, and read-only by their settings.

use std::fs;
use std::path::PathBuf;

use dcp_core::ports::EventWriter;
use dcp_core::{Error, ErrorKind, Failure};

use crate::events::{assert_holds, batch, owner, session};
use crate::pools::{over, settings};
use crate::server::{block_on, config, fresh_schema, open, server};

pub(crate) fn all() {
    block_on(async {
        by_settings().await;
        in_recovery().await;
    });
}

fn assert_refused(error: &Error) {
    assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, "read-only-server"), "{error}");
}

async fn assert_takes_none(writer: &dyn EventWriter, number: u64) {
    match writer.append(batch(0, number)).await {
        Err(Failure::NotApplied(error)) => assert_refused(&error),
        other => panic!("{other:?}"),
    }
}

// Set while the store is open; sessions that are there already keep what they were told, so that they
// are ended.
async fn by_settings() {
    let schema = fresh_schema();
    let store = open(&schema).await.unwrap();
    let writer = owner(&store, 1).await.unwrap();
    writer.append(batch(0, 0)).await.unwrap();
    let (admin, pid, _running) = session("switch").await;
    admin.batch_execute("ALTER DATABASE postgres SET default_transaction_read_only = on").await.unwrap();
    let others = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                  WHERE backend_type = 'client backend' AND pid <> $1";
    assert!(admin.query_one(others, &[&pid]).await.unwrap().get::<_, i64>(0) > 0);
    let refused = until_refused(&*writer, 1).await;
    let again = open(&schema).await;
    // Reading goes on.
    assert_holds(&store, 0..1).await;
    let back = "SET default_transaction_read_only = off; ALTER DATABASE postgres RESET default_transaction_read_only";
    admin.batch_execute(back).await.unwrap();
    assert_refused(&refused);
    assert_refused(&again.unwrap_err());
    admin.query_one(others, &[&pid]).await.unwrap();
    while let Err(failure) = writer.append(batch(0, 1)).await {
        let waits = failure.not_applied().is_none_or(|error| error.kind() == ErrorKind::Retry);
        assert!(waits, "{failure}");
    }
    assert_holds(&store, 0..2).await;
}

// The first attempts may find connections whose end was not heard of yet.
async fn until_refused(writer: &dyn EventWriter, number: u64) -> Error {
    loop {
        match writer.append(batch(0, number)).await {
            Err(Failure::NotApplied(error)) if error.kind() != ErrorKind::Retry => return error,
            Err(_) => {}
            Ok(appended) => panic!("{appended:?}"),
        }
    }
}

fn restart() {
    tokio::task::block_in_place(|| {
        server().stop().unwrap();
        server().start().unwrap();
    });
}

// The server becomes a standby under an open store, and is promoted.
async fn in_recovery() {
    let schema = fresh_schema();
    let store = open(&schema).await.unwrap();
    let writer = owner(&store, 1).await.unwrap();
    writer.append(batch(0, 0)).await.unwrap();
    let (admin, _, running) = session("switch").await;
    let data: String = admin.query_one("SHOW data_directory", &[]).await.unwrap().get(0);
    drop((admin, running));
    fs::write(PathBuf::from(data).join("standby.signal"), "").unwrap();
    restart();
    // The connections of before are gone, and those of now do not write; twice, since the first attempt may
    // find a connection that it had not heard the end of.
    while let Err(failure) = writer.append(batch(0, 1)).await {
        match failure.not_applied() {
            Some(error) if error.code() == "read-only-server" => break,
            Some(error) => assert_eq!(error.kind(), ErrorKind::Retry, "{error}"),
            None => {}
        }
    }
    assert_takes_none(&*writer, 1).await;
    assert_refused(open(&schema).await.as_ref().unwrap_err());
    let given = settings(&schema);
    assert_refused(&over(config(), &given.session_options(), 2, given).await.unwrap_err());
    assert_refused(owner(&store, 1).await.map(drop).unwrap_err().not_applied().unwrap());
    // Reading goes on.
    assert_holds(&store, 0..1).await;
    let (admin, _, _running) = session("switch").await;
    assert!(admin.query_one("SELECT pg_promote()", &[]).await.unwrap().get::<_, bool>(0));
    writer.append(batch(0, 1)).await.unwrap();
    assert_holds(&store, 0..2).await;
    assert_holds(&open(&schema).await.unwrap(), 0..2).await;
}
