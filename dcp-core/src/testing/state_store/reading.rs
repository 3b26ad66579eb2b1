//! S1, S5: what reads and scans see.

use super::StateStoreFixture;
use super::steps::{Store, entry, key, put, value};
use crate::demand;
use crate::ports::state_store::{Key, SCAN_MAX, StateStore as _, Transaction, WRITES_MAX};
use crate::testing::Violation;
use crate::testing::interrupted::poll_times;

/// S1: a read after an answered commit, by any client, sees it.
///
/// # Errors
/// The clause is not kept.
pub async fn s1_reads_see_answered_commits<Fx: StateStoreFixture>() -> Result<(), Violation> {
    let fixture = Fx::start().await;
    let clients = [fixture.client(), fixture.client()];
    for round in 0..6_usize {
        let written = round.to_string();
        let revision = put(&clients[round % 2], "key", &written).await?;
        for client in &clients {
            let read = entry(client, "key").await?.map(|entry| (entry.value, entry.revision));
            demand!(
                read == Some((written.clone().into(), revision)),
                "wrote {written} at {revision}, a client then read {read:?}"
            );
            let scanned: Vec<_> = client.scan("k", None, 10).await?.into_iter().map(|entry| entry.value).collect();
            demand!(scanned == [written.clone()], "wrote {written}, a client then scanned {scanned:?}");
        }
    }
    clients[0].commit(Transaction::new().delete(key("key")?)).await?;
    let read = entry(&clients[1], "key").await?;
    demand!(read.is_none(), "deleted, a client then read {read:?}");
    Ok(())
}

/// S5: a scan returns every key with the prefix, after the given key, in byte order, up to the
/// limit, as of one moment.
///
/// # Errors
/// The clause is not kept.
pub async fn s5_scans_are_complete<Fx: StateStoreFixture>() -> Result<(), Violation> {
    let fixture = Fx::start().await;
    let store = fixture.store();
    // In byte order: '-' and '.' before '/', upper before lower case, a longer key after its prefix.
    let inside = ["a/", "a/-", "a/.", "a//", "a/1", "a/10", "a/2", "a/A", "a/a", "a/é", "a/\u{10FFFF}"];
    for name in inside.iter().rev().chain(&["a", "a.", "a0", "b/1", "A/1"]) {
        put(&store, name, name).await?;
    }
    demand_scan(&store, "a/", None, 100, &inside).await?;
    demand_scan(&store, "a/1", None, 100, &inside[4..6]).await?;
    demand_scan(&store, "a/", Some("a//"), 3, &inside[4..7]).await?;
    demand_scan(&store, "a/", Some("a/3"), 100, &inside[7..]).await?;
    demand_scan(&store, "a/", Some("a"), 2, &inside[..2]).await?;
    demand_scan(&store, "a/", Some("a0"), 100, &[]).await?;
    demand_scan(&store, "", None, 2, &["A/1", "a"]).await?;
    demand_scan(&store, "c", None, 100, &[]).await?;
    demand_scan(&store, "a/", None, 0, &[]).await?;
    one_moment(&store).await?;
    many(&store).await
}

async fn demand_scan(
    store: &Store,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
    expected: &[&str],
) -> Result<(), Violation> {
    let after = after.map(key).transpose()?;
    let found = store.scan(prefix, after.as_ref(), limit).await?;
    let found: Vec<&str> = found.iter().map(|entry| entry.key.as_str()).collect();
    demand!(found == expected, "scan of {prefix:?} after {after:?}, at most {limit}: {found:?}, not {expected:?}");
    Ok(())
}

// Two keys that each commit sets alike are seen alike, however far the commit has got.
async fn one_moment(store: &Store) -> Result<(), Violation> {
    for cut in 0..6 {
        let both = Transaction::new().put(key("pair/1")?, cut.to_string()).put(key("pair/2")?, cut.to_string());
        let mut committing = store.commit(both);
        let early = poll_times(&mut committing, cut).await;
        let (scanned, committed) = match early {
            Some(committed) => (store.scan("pair/", None, 10).await, committed),
            None => tokio::join!(biased; store.scan("pair/", None, 10), committing),
        };
        committed?;
        let values: Vec<_> = scanned?.into_iter().map(|entry| entry.value).collect();
        let alike = values.is_empty() || values.len() == 2 && values[0] == values[1];
        demand!(alike, "a scan saw half of a commit: {values:?}");
    }
    Ok(())
}

async fn many(store: &Store) -> Result<(), Violation> {
    let count = SCAN_MAX + 1;
    let names: Vec<Key> = (0..count).map(|number| key(format!("many/{number:05}"))).collect::<Result<_, _>>()?;
    for part in names.chunks(WRITES_MAX) {
        let transaction = part.iter().fold(Transaction::new(), |all, name| all.put(name.clone(), "x"));
        store.commit(transaction).await?;
    }
    let first = store.scan("many/", None, usize::MAX).await?;
    demand!(first.len() == SCAN_MAX, "a scan of {count} keys returned {}, the limit is {SCAN_MAX}", first.len());
    let rest = store.scan("many/", first.last().map(|entry| &entry.key), usize::MAX).await?;
    let found: Vec<&Key> = first.iter().chain(&rest).map(|entry| &entry.key).collect();
    demand!(found == names.iter().collect::<Vec<_>>(), "{} keys were found in two scans of {count}", found.len());
    demand!(value(store, "many/00000").await?.is_some(), "a scanned key is not read");
    Ok(())
}
