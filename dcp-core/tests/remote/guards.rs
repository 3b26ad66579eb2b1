//! Guards behind an endpoint.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use dcp_core::fence::{Fence, FencingToken, Purpose};
use dcp_core::ids::{ResourceId, SliceRef};
use dcp_core::operation::SealReceipt;
use dcp_core::ports::Sealable;
use dcp_core::position::{Cut, LogEnd, LogIncarnation, Position, PrefixDigest};
use dcp_core::remote::RemoteGuard;
use dcp_core::signed::Keyring;
use dcp_core::testing::fixtures::{TwoRegions, holder, orders, partition_log, slice_a, slice_b, west};
use dcp_core::{Error, Failure};

use super::appends::other_keys;
use super::rig::{Running, endpoint, server, start};

/// A guard in memory, without anything in flight.
#[derive(Debug)]
struct Gate {
    resource: ResourceId,
    slice: SliceRef,
    fence: Mutex<Fence>,
}

#[async_trait]
impl Sealable for Gate {
    fn resource(&self) -> &ResourceId {
        &self.resource
    }

    fn slice(&self) -> &SliceRef {
        &self.slice
    }

    async fn fence(&self) -> Result<Fence, Error> {
        Ok(self.fence.lock().unwrap().clone())
    }

    async fn seal(&self, token: &FencingToken) -> Result<SealReceipt, Failure> {
        let mut fence = self.fence.lock().unwrap();
        let judgement = fence.judge(&token.rank(), Purpose::Seal);
        if let Some(refusal) = fence.refusal(&self.resource, &token.rank(), judgement) {
            return Err(Failure::NotApplied(refusal));
        }
        *fence = fence.raised(&token.rank());
        Ok(SealReceipt { resource: self.resource.clone(), rank: token.rank(), ends: ends() })
    }
}

fn ends() -> Cut {
    let incarnation = LogIncarnation::from_bytes([1; 16]);
    let last = Some(Position::from_store(incarnation, 5));
    Cut::from_iter([(partition_log(&west(), 0), LogEnd { incarnation, last, prefix: PrefixDigest::EMPTY })])
}

fn resource() -> ResourceId {
    ResourceId::new("orders.a").unwrap()
}

async fn rig(keyring: Keyring) -> (Arc<Gate>, Running) {
    let gate = Gate { resource: resource(), slice: slice_a(&orders()), fence: Mutex::new(Fence::unset()) };
    let gate = Arc::new(gate);
    let running = start(server().guards([Arc::clone(&gate) as Arc<dyn Sealable>], Arc::new(keyring))).await;
    (gate, running)
}

fn token(revision: u64) -> FencingToken {
    let world = TwoRegions::new();
    world.token(&world.genesis(&slice_a(&orders())), &holder("plane-1"), revision)
}

#[tokio::test]
async fn a_guard_is_sealed_and_its_fence_read() {
    let (_gate, running) = rig(TwoRegions::new().keyring().clone()).await;
    let remote = RemoteGuard::new(endpoint(running.address), resource(), slice_a(&orders()));
    assert_eq!(remote.fence().await.unwrap(), Fence::unset());
    let receipt = remote.seal(&token(4)).await.unwrap();
    assert_eq!(receipt, SealReceipt { resource: resource(), rank: token(4).rank(), ends: ends() });
    assert_eq!(remote.seal(&token(4)).await.unwrap(), receipt);
    assert_eq!(remote.fence().await.unwrap().highest(), Some(&token(4).rank()));
    let lower = remote.seal(&token(3)).await.unwrap_err();
    assert_eq!(lower.not_applied().map(Error::code), Some("revision-regressed"));
}

#[tokio::test]
async fn a_token_that_does_not_verify_raises_nothing() {
    let (gate, running) = rig(other_keys()).await;
    let remote = RemoteGuard::new(endpoint(running.address), resource(), slice_a(&orders()));
    let failure = remote.seal(&token(4)).await.unwrap_err();
    assert_eq!(failure.not_applied().map(Error::code), Some("bad-signature"));
    assert_eq!(gate.fence().await.unwrap(), Fence::unset());
}

#[tokio::test]
async fn the_guard_of_another_slice_or_resource_is_not_touched() {
    let (gate, running) = rig(TwoRegions::new().keyring().clone()).await;
    let other = ResourceId::new("other").unwrap();
    for (resource, slice, code) in
        [(resource(), slice_b(&orders()), "other-slice"), (other, slice_a(&orders()), "unknown-guard")]
    {
        let remote = RemoteGuard::new(endpoint(running.address), resource, slice);
        assert_eq!(remote.fence().await.unwrap_err().code(), code);
        assert_eq!(remote.seal(&token(4)).await.unwrap_err().code(), code);
    }
    assert_eq!(gate.fence().await.unwrap(), Fence::unset());
}

#[tokio::test]
async fn two_guards_of_one_resource_are_refused() {
    let (gate, _running) = rig(other_keys()).await;
    let twice = [Arc::clone(&gate) as Arc<dyn Sealable>, gate];
    let mut running = start(server().guards(twice, Arc::new(other_keys()))).await;
    assert_eq!(running.ended().await.unwrap_err().code(), "duplicate-guard");
}
