use super::*;
use crate::error::ErrorKind;
use crate::ids::{RunId, ScopeId, SliceId, StepId};
use crate::memory::MemoryStateStore;

fn slice() -> SliceRef {
    SliceRef::new(ScopeId::new("orders").unwrap(), SliceId::new("s10").unwrap())
}

fn released(epoch: u64) -> Released {
    let key = OperationKey { run: RunId::new("run").unwrap(), step: StepId::new("release").unwrap() };
    Released { epoch: Epoch::new(epoch), to: RegionId::new("w").unwrap(), key, receipt: None }
}

#[tokio::test]
async fn an_older_release_never_takes_the_place_of_a_newer_one() {
    let releases = Releases::new(Arc::new(MemoryStateStore::new()));
    releases.save(&slice(), &released(4)).await.unwrap();
    let refused = releases.save(&slice(), &released(2)).await.unwrap_err();
    assert_eq!(refused.not_applied().map(Error::kind), Some(ErrorKind::Fenced));
    assert!(releases.holds(&slice(), Epoch::new(4)).await.unwrap());
    assert!(!releases.holds(&slice(), Epoch::new(5)).await.unwrap());
}

#[tokio::test]
async fn slices_stand_still_one_by_one() {
    let releases = Releases::new(Arc::new(MemoryStateStore::new()));
    let other = SliceRef::new(slice().scope, SliceId::new("s15").unwrap());
    let held = releases.hold_still(&slice()).await;
    let _other = releases.hold_still(&other).await;
    let slice = slice();
    tokio::select! {
        biased;
        _again = releases.hold_still(&slice) => panic!("held twice"),
        () = tokio::task::yield_now() => {}
    }
    drop(held);
    let _again = releases.hold_still(&slice).await;
}
