//! What the guard of a slice does beyond its contract's clauses.

// A test stops where its own set-up fails.
#![allow(clippy::unwrap_used)]

#[path = "guard/deployment.rs"]
mod deployment;

use std::time::Duration;

use dcp_core::clock::Moment;
use dcp_core::fence::FencingToken;
use dcp_core::memory::MemoryStateStore;
use dcp_core::ownership::WriteGrant;
use dcp_core::ports::Sealable;
use dcp_core::testing::fixtures::{east, holder, orders, slice_a, slice_b, west};
use dcp_core::testing::resource_guard::ResourceGuardFixture;
use dcp_core::{ErrorKind, Failure};

use deployment::{Deployment, Sound};

const NOW: Moment = Moment::from_nanos(1_000);

fn grant(fixture: &Deployment<Sound>, epoch: u64) -> WriteGrant {
    fixture.world().grant(&slice_a(&orders()), &west(), epoch)
}

fn token(fixture: &Deployment<Sound>, epoch: u64) -> FencingToken {
    let grant = fixture.world().grant(&slice_a(&orders()), &east(), epoch);
    fixture.world().token(&grant, &holder("one"), 1)
}

#[tokio::test]
async fn it_refuses_new_appends_while_a_seal_drains() {
    let fixture = Deployment::<Sound>::start().await;
    let (guard, grant) = (fixture.guard(), grant(&fixture, 1));
    guard.open(&grant).await.unwrap();
    let permit = guard.admit(&grant, NOW).unwrap();
    let token = token(&fixture, 2);
    let mut seal = guard.seal(&token);
    assert!(tokio::time::timeout(Duration::from_millis(20), &mut seal).await.is_err());
    assert_eq!(guard.admit(&grant, NOW).unwrap_err().kind(), ErrorKind::Fenced);
    permit.not_applied();
    seal.await.unwrap();
}

#[tokio::test]
async fn a_seal_that_cannot_drain_is_in_doubt_and_can_be_asked_again() {
    let fixture = Deployment::<Sound>::start().await;
    let (guard, grant) = (fixture.guard(), grant(&fixture, 1));
    guard.open(&grant).await.unwrap();
    let permit = guard.admit(&grant, NOW).unwrap();
    let failure = guard.seal(&token(&fixture, 2)).await.unwrap_err();
    assert_eq!((failure.is_in_doubt(), failure.code()), (true, "seal-not-drained"));
    assert_eq!(guard.fence().await.unwrap().highest(), Some(&token(&fixture, 2).rank()));
    permit.not_applied();
    guard.seal(&token(&fixture, 2)).await.unwrap();
}

#[tokio::test]
async fn it_takes_no_grant_or_token_of_another_slice_or_owner() {
    let fixture = Deployment::<Sound>::start().await;
    let guard = fixture.guard();
    let other = fixture.world().grant(&slice_b(&orders()), &west(), 1);
    let others = fixture.world().token(&other, &holder("one"), 1);
    assert_eq!(guard.open(&other).await.unwrap_err().code(), "other-slice");
    assert_eq!(guard.seal(&others).await.unwrap_err().code(), "other-slice");
    guard.open(&grant(&fixture, 1)).await.unwrap();
    assert_eq!(guard.admit(&other, NOW).unwrap_err().code(), "other-slice");
    let easts = fixture.world().grant(&slice_a(&orders()), &east(), 2);
    assert_eq!(guard.open(&easts).await.unwrap_err().code(), "not-owner");
}

#[tokio::test]
async fn it_authorises_only_what_it_was_sealed_at() {
    let fixture = Deployment::<Sound>::start().await;
    assert_eq!(fixture.plain().authorise(&token(&fixture, 2)).await.unwrap_err().code(), "not-sealed");
    fixture.plain().seal(&token(&fixture, 2)).await.unwrap();
    fixture.plain().authorise(&token(&fixture, 2)).await.unwrap();
    assert_eq!(fixture.plain().authorise(&token(&fixture, 3)).await.unwrap_err().code(), "not-sealed");
}

#[tokio::test]
async fn it_opens_again_after_a_seal_of_its_own_epoch() {
    let fixture = Deployment::<Sound>::start().await;
    let (guard, grant) = (fixture.guard(), grant(&fixture, 1));
    guard.open(&grant).await.unwrap();
    guard.close("a planned move").await;
    guard.seal(&fixture.world().token(&grant, &holder("one"), 1)).await.unwrap();
    assert_eq!(guard.admit(&grant, NOW).unwrap_err().kind(), ErrorKind::Retry);
    guard.open(&grant).await.unwrap();
    guard.admit(&grant, NOW).unwrap().not_applied();
}

#[tokio::test]
async fn a_fence_that_the_store_has_lost_refuses_all() {
    let fixture = Deployment::<Sound>::start().await;
    fixture.guard().seal(&token(&fixture, 2)).await.unwrap();
    fixture.state().restore(MemoryStateStore::new().backup());
    fixture.state().reopen();
    let failure = fixture.guard().open(&grant(&fixture, 3)).await.unwrap_err();
    assert_eq!(
        failure.not_applied().map(|error| (error.kind(), error.code())),
        Some((ErrorKind::Corrupt, "fence-went-back"))
    );
}

#[tokio::test]
async fn a_fence_whose_write_is_cut_off_is_raised_by_the_next_seal() {
    let fixture = Deployment::<Sound>::start().await;
    let (guard, grant) = (fixture.guard(), grant(&fixture, 1));
    guard.open(&grant).await.unwrap();
    let hold = fixture.state().hold_sync();
    {
        let token = token(&fixture, 2);
        let seal = guard.seal(&token);
        tokio::pin!(seal);
        tokio::select! {
            biased;
            done = &mut seal => panic!("sealed without a durable fence: {done:?}"),
            () = hold.write_waits() => {}
        }
    }
    // Closed although the fence is not known to be durable: refused too early can be repeated.
    assert!(guard.admit(&grant, NOW).is_err());
    drop(hold);
    match guard.seal(&token(&fixture, 2)).await {
        Ok(receipt) => assert_eq!(receipt.rank, token(&fixture, 2).rank()),
        Err(failure @ Failure::InDoubt(_)) => panic!("{failure}"),
        Err(failure @ Failure::NotApplied(_)) => panic!("{failure}"),
    }
}
