//! A connection that is there and carries nothing more, in either direction.

use std::time::Duration;

use dcp_core::ports::{EventSource as _, ReadFrom};
use dcp_core::store::postgres::PostgresEventSettings;
use dcp_core::store::postgres::tokio_postgres::Config;
use dcp_core::testing::fixtures::west;
use dcp_core::{ErrorKind, Failure};
use testbed::{Conditions, Direction, Proxy};

use crate::events::{assert_holds, batch, log, owner};
use crate::server::{block_on, fresh_schema, open, open_as, server};

pub(crate) fn half_open() {
    block_on(run());
}

pub(crate) fn of_all_connections() {
    block_on(fall_silent());
}

/// Every connection that there is falls silent, and new ones are made elsewhere: as after a failover, or a firewall
/// that forgot them. The first who asks waits for a deadline, and nobody after it.
async fn fall_silent() {
    let schema = fresh_schema();
    let ways = [server().proxy(11).unwrap(), server().proxy(12).unwrap()];
    let mut config = Config::new();
    config.user("postgres").dbname("postgres");
    for way in &ways {
        config.host(way.address().ip().to_string()).port(way.address().port());
    }
    let settings = PostgresEventSettings::new(west()).with_schema(&schema).with_deadline(Duration::from_millis(800));
    let store = open_as(config, settings).await.unwrap();
    let writer = owner(&store, 1).await.unwrap();
    writer.append(batch(0, 0)).await.unwrap();
    let zero = log(0);
    let look = || store.open_reader(&zero, ReadFrom::Start);
    for (round, way) in (1..).zip(&ways) {
        let (first, second, third, fourth) = tokio::join!(look(), look(), look(), look());
        assert!([first, second, third, fourth].iter().all(Result::is_ok));
        assert!(way.traffic().connections >= 3, "{:?}", way.traffic());
        Direction::BOTH.into_iter().for_each(|direction| way.set(direction, Conditions::stalled()));
        way.refuse(true);
        if round == 1 {
            assert_eq!(look().await.map(drop).unwrap_err().code(), "no-answer");
        } else {
            // The other way is there again; who writes finds it as well.
            ways[0].heal();
            let failure = writer.append(batch(0, round)).await.unwrap_err();
            assert!(["no-answer", "commit-unanswered"].contains(&failure.code()), "{failure}");
        }
        look().await.unwrap();
        writer.append(batch(0, round)).await.unwrap();
    }
    assert_holds(&open(&schema).await.unwrap(), 0..3).await;
}

// What earlier rounds have left is on its way for a moment: connections that are closed, bytes that were held back.
async fn settle(proxy: &Proxy) {
    loop {
        let before = proxy.traffic();
        let _ = tokio::time::timeout(Duration::from_millis(50), std::future::pending::<()>()).await;
        let after = proxy.traffic();
        if (before.to_server, before.to_client) == (after.to_server, after.to_client) {
            return;
        }
    }
}

async fn run() {
    let schema = fresh_schema();
    let proxy = server().proxy(11).unwrap();
    let mut through_proxy = Config::new();
    through_proxy.host(proxy.address().ip().to_string()).port(proxy.address().port());
    through_proxy.user("postgres").dbname("postgres");
    let settings = PostgresEventSettings::new(west()).with_schema(&schema).with_deadline(Duration::from_millis(800));
    let store = open_as(through_proxy, settings).await.unwrap();
    let writer = owner(&store, 1).await.unwrap();
    let mut number = 0;
    for direction in Direction::BOTH {
        // Behind a known tail both times: the second follows a batch that was in doubt.
        for _ in 0..2 {
            writer.append(batch(0, number)).await.unwrap();
            settle(&proxy).await;
            proxy.set(direction, Conditions::stalled());
            let before = proxy.traffic();
            let failure = writer.append(batch(0, number + 1)).await.unwrap_err();
            let known = matches!(&failure, Failure::NotApplied(error) if error.kind() == ErrorKind::Retry);
            assert!(known || failure.code() == "commit-unanswered", "{direction:?}: {failure}");
            let error = store.open_reader(&log(0), ReadFrom::Start).await.map(drop).unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::Retry, "no-answer"), "{error}");
            let after = proxy.traffic();
            match direction {
                Direction::ToServer => assert_eq!(before.to_server, after.to_server, "nothing was held back"),
                Direction::ToClient => assert_eq!(before.to_client, after.to_client, "nothing was held back"),
            }
            proxy.heal();
            // The same batch again, whether it had landed or not: there once.
            while let Err(failure) = writer.append(batch(0, number + 1)).await {
                assert!(
                    failure.is_in_doubt() || failure.not_applied().unwrap().kind() == ErrorKind::Retry,
                    "{failure}"
                );
            }
            number += 2;
            assert_holds(&open(&schema).await.unwrap(), 0..number).await;
        }
    }
}
