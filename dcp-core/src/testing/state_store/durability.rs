//! S2, S4, S6: what a crash leaves.

use super::StateStoreFixture;
use super::steps::{entry, key, put, value};
use crate::demand;
use crate::ports::state_store::{StateStore as _, Transaction};
use crate::testing::Violation;
use crate::testing::interrupted::poll_times;

// A commit is cut off after 0, 1, ... polls.
const CUTS: usize = 8;

/// S2: a commit takes effect as a whole or not at all, also across a crash.
///
/// # Errors
/// The clause is not kept.
pub async fn s2_commits_are_whole<Fx: StateStoreFixture>() -> Result<(), Violation> {
    let mut fixture = Fx::start().await;
    for cut in 0..CUTS {
        let store = fixture.store();
        put(&store, "removed", "before").await?;
        store.commit(Transaction::new().delete(key("first")?).delete(key("second")?)).await?;
        let whole = Transaction::new()
            .absent(key("first")?)
            .put(key("first")?, "after")
            .delete(key("removed")?)
            .put(key("second")?, "after");
        let mut committing = store.commit(whole);
        poll_times(&mut committing, cut).await;
        drop(committing);
        drop(store);
        fixture.crash().await;
        let store = fixture.store();
        let first = value(&store, "first").await?.is_some();
        let second = value(&store, "second").await?.is_some();
        let removed = value(&store, "removed").await?.is_none();
        demand!(
            first == second && second == removed,
            "after a crash: first put {first}, deleted {removed}, last put {second}"
        );
    }
    Ok(())
}

/// S4: revisions rise with every commit that writes, an entry shows that of its last write, and a
/// re-created key never shows an old one.
///
/// # Errors
/// The clause is not kept.
pub async fn s4_revisions_rise<Fx: StateStoreFixture>() -> Result<(), Violation> {
    let mut fixture = Fx::start().await;
    let store = fixture.store();
    let other = put(&store, "other", "1").await?;
    let created = put(&store, "key", "1").await?;
    let changed = put(&store, "key", "1").await?;
    let deleted = store.commit(Transaction::new().delete(key("key")?)).await?;
    let rising = other < created && created < changed && changed < deleted;
    demand!(rising, "revisions {other}, {created}, {changed}, {deleted} do not rise");
    let shown = entry(&store, "other").await?.map(|entry| entry.revision);
    demand!(shown == Some(other), "an entry written at {other} shows {shown:?} after commits to other keys");
    // With this one answered, all before it are durable; and no entry shows a revision any more.
    store.commit(Transaction::new().delete(key("other")?)).await?;
    drop(store);
    fixture.crash().await;
    let store = fixture.store();
    let again = put(&store, "key", "1").await?;
    demand!(again > deleted, "a key deleted at {deleted} was re-created at {again} after a crash");
    let both = store.commit(Transaction::new().put(key("one")?, "1").put(key("two")?, "1")).await?;
    let shown =
        [entry(&store, "one").await?, entry(&store, "two").await?].map(|entry| entry.map(|entry| entry.revision));
    demand!(shown == [Some(both); 2] && both > again, "two keys written at {both} show {shown:?}");
    Ok(())
}

/// S6: an answered commit survives a crash.
///
/// # Errors
/// The clause is not kept.
pub async fn s6_commits_survive_a_crash<Fx: StateStoreFixture>() -> Result<(), Violation> {
    let mut fixture = Fx::start().await;
    for round in 0..3 {
        let written = round.to_string();
        let store = fixture.store();
        let revision = put(&store, "key", &written).await?;
        drop(store);
        fixture.crash().await;
        let read = entry(&fixture.store(), "key").await?.map(|entry| (entry.value, entry.revision));
        demand!(
            read == Some((written.clone().into(), revision)),
            "answered {written} at {revision}, held after a crash {read:?}"
        );
    }
    Ok(())
}
