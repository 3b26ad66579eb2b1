//! Appends behind an endpoint.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use dcp_core::event::{NewEvent, StreamId, Version};
use dcp_core::ids::{KeyId, RegionId, SliceRef};
use dcp_core::ownership::{Epoch, WriteGrant};
use dcp_core::ports::{AppendAck, AppendRequest, Appended, Appends};
use dcp_core::position::{LogIncarnation, Position, PrefixDigest};
use dcp_core::remote::RemoteAppends;
use dcp_core::signed::{KeySet, Keyring, Role, Signer};
use dcp_core::testing::fixtures::{TwoRegions, east, event_id, orders, partition_log, slice_a, slice_b, west};
use dcp_core::{Error, ErrorKind, Failure};

use super::rig::{Running, endpoint, server, start};

/// Appends of the west: acknowledges epoch 1, and counts what it was asked.
#[derive(Debug)]
struct West {
    region: RegionId,
    grant: WriteGrant,
    asked: AtomicUsize,
}

#[async_trait]
impl Appends for West {
    fn region(&self) -> &RegionId {
        &self.region
    }

    // Answers slice a, whatever was asked.
    async fn ownership(&self, _slice: &SliceRef) -> Result<WriteGrant, Error> {
        Ok(self.grant.clone())
    }

    async fn append(&self, request: AppendRequest) -> Result<Appended, Failure> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if request.epoch != Epoch::GENESIS {
            return Err(Failure::NotApplied(Error::fenced("stale", "another epoch")));
        }
        let acks = request.events.iter().zip(1..).map(|(event, rank)| ack(event, rank)).collect();
        Ok(Appended { acks, prefix: PrefixDigest::EMPTY })
    }
}

fn ack(event: &NewEvent, rank: u64) -> AppendAck {
    AppendAck {
        id: event.id,
        log: partition_log(&west(), 0),
        position: Position::from_store(LogIncarnation::from_bytes([1; 16]), rank),
        epoch: Epoch::GENESIS,
        version: Version::new(rank),
        existing: false,
    }
}

async fn rig(region: RegionId, keyring: Keyring) -> (Arc<West>, Running, RemoteAppends) {
    let grant = TwoRegions::new().genesis(&slice_a(&orders()));
    let appends = Arc::new(West { region: west(), grant, asked: AtomicUsize::new(0) });
    let running = start(server().appends(Arc::clone(&appends) as Arc<dyn Appends>)).await;
    let remote = RemoteAppends::new(endpoint(running.address), region, Arc::new(keyring));
    (appends, running, remote)
}

fn request(epoch: u64, events: u64) -> AppendRequest {
    let event = |number| {
        NewEvent::new(event_id(number), StreamId::new(format!("s{}", number % 7)), "t", Bytes::from(vec![b'x'; 200]))
    };
    AppendRequest::new(orders(), 0, Epoch::new(epoch), (0..events).map(event).collect())
}

#[tokio::test]
async fn five_hundred_events_are_one_request() {
    let (appends, _running, remote) = rig(west(), TwoRegions::new().keyring().clone()).await;
    let request = request(1, 500);
    let expected: Vec<_> = request.events.iter().zip(1..).map(|(event, rank)| ack(event, rank)).collect();
    assert_eq!(remote.append(request).await.unwrap().acks, expected);
    assert_eq!(appends.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_refusal_travels_as_it_is() {
    let (_appends, _running, remote) = rig(west(), TwoRegions::new().keyring().clone()).await;
    let failure = remote.append(request(2, 1)).await.unwrap_err();
    assert_eq!(failure, Failure::NotApplied(Error::fenced("stale", "another epoch")));
}

#[tokio::test]
async fn a_server_of_another_region_refuses() {
    let (appends, _running, remote) = rig(east(), TwoRegions::new().keyring().clone()).await;
    let failure = remote.append(request(1, 1)).await.unwrap_err();
    assert_eq!(failure.not_applied().map(Error::code), Some("other-region"));
    assert_eq!(remote.ownership(&slice_a(&orders())).await.unwrap_err().code(), "other-region");
    assert_eq!(appends.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn ownership_is_believed_only_if_it_is_signed_and_of_the_slice() {
    let world = TwoRegions::new();
    let (_appends, _running, remote) = rig(west(), world.keyring().clone()).await;
    let grant = remote.ownership(&slice_a(&orders())).await.unwrap();
    assert_eq!(grant, world.genesis(&slice_a(&orders())));
    let error = remote.ownership(&slice_b(&orders())).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Corrupt, "other-slice"));

    let (_appends, _running, remote) = rig(west(), other_keys()).await;
    assert_eq!(remote.ownership(&slice_a(&orders())).await.unwrap_err().kind(), ErrorKind::Refused);
}

/// Keys under the names of the two regions that are not theirs.
pub(crate) fn other_keys() -> Keyring {
    let set = |role| {
        let signer = Signer::new(KeyId::new("stranger").unwrap(), &[9; 32]);
        let keys = BTreeMap::from([(signer.id().clone(), signer.public())]);
        KeySet::new("strangers", role, 1, keys).unwrap()
    };
    Keyring { local: BTreeMap::from([(west(), set(Role::Local)), (east(), set(Role::Local))]), cross: set(Role::Cross) }
}
