//! The life of a server: where it listens, what it finishes, when it ends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dcp_core::clock::{Clock, TokioClock};
use dcp_core::remote::{Deadlines, RemoteEndpoint};
use dcp_core::{Error, ErrorKind};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::operation::Counted;
use super::rig::{AMPLE, clock, endpoint, endpoint_within, key, server, start};

const MOMENT: Duration = Duration::from_millis(30);

#[tokio::test]
async fn other_addresses_than_loopback_are_refused() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let error = server().serve(listener, CancellationToken::new()).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, "not-loopback"));
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::new());
    let far = "10.0.0.1:80".parse().unwrap();
    let error = RemoteEndpoint::new(far, &key(), Deadlines::new(AMPLE), clock).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, "not-loopback"));
}

#[tokio::test]
async fn two_operations_of_one_name_are_refused() {
    for (names, code) in [(["a", "a"], "duplicate-operation"), (["a", "B"], "bad-operation-name")] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = names.iter().fold(server(), |server, name| server.operation(*name, Counted::open()));
        assert_eq!(server.serve(listener, CancellationToken::new()).await.unwrap_err().code(), code);
    }
}

#[tokio::test]
async fn an_effect_goes_on_when_its_caller_has_gone() {
    let counted = Counted::held();
    let running = start(server().operation("count", counted.clone())).await;
    let endpoint = endpoint(running.address);
    let call = endpoint.call("count", Bytes::new(), AMPLE);
    tokio::select! {
        biased;
        _ = call => panic!("it is held"),
        () = counted.has_begun() => {}
    }
    // The call was dropped, and its connection with it.
    clock().sleep(MOMENT).await;
    counted.release();
    running.stopped().await.unwrap();
    assert_eq!(counted.done(), 1, "the server had waited for it");
}

#[tokio::test]
async fn a_stopping_server_answers_what_is_in_flight_and_refuses_the_rest() {
    let counted = Counted::held();
    let mut running = start(server().operation("count", counted.clone())).await;
    let first = endpoint(running.address);
    let mut calls = JoinSet::new();
    calls.spawn(async move { first.call("count", Bytes::from_static(b"in flight"), AMPLE).await });
    counted.has_begun().await;
    running.stop.cancel();
    clock().sleep(MOMENT).await;
    let refused = endpoint(running.address).call("count", Bytes::new(), AMPLE).await.unwrap_err();
    assert_eq!(refused.not_applied().map(Error::kind), Some(ErrorKind::Retry), "{refused}");
    counted.release();
    assert_eq!(calls.join_next().await.unwrap().unwrap().unwrap(), "in flight");
    running.ended().await.unwrap();
    assert_eq!(counted.done(), 1);
}

#[tokio::test]
async fn a_stopping_server_cuts_effects_after_the_grace_and_says_so() {
    let counted = Counted::held();
    let running = start(server().grace(MOMENT).operation("count", counted.clone())).await;
    let endpoint = endpoint_within(running.address, AMPLE);
    let mut calls = JoinSet::new();
    calls.spawn(async move { endpoint.call("count", Bytes::new(), AMPLE).await });
    counted.has_begun().await;
    let error = running.stopped().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Stopped, "effects-cut"));
    assert!(calls.join_next().await.unwrap().unwrap().unwrap_err().is_in_doubt());
    counted.release();
    clock().sleep(MOMENT).await;
    assert_eq!(counted.done(), 0, "nothing outlives the server");
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_the_stop() {
    let running = start(server().grace(AMPLE).operation("count", Counted::open())).await;
    let idle = endpoint(running.address);
    idle.call("count", Bytes::new(), AMPLE).await.unwrap();
    let since_stop = clock();
    running.stopped().await.unwrap();
    assert!(since_stop.now().as_nanos() < u64::try_from(AMPLE.as_nanos() / 2).unwrap());
}

#[tokio::test]
async fn a_request_that_was_never_finished_ends_with_the_grace() {
    let running = start(server().grace(MOMENT).operation("count", Counted::open())).await;
    let half = TcpStream::connect(running.address).await.unwrap();
    half.writable().await.unwrap();
    assert_eq!(half.try_write(b"POST /v1/oper").unwrap(), 13);
    clock().sleep(MOMENT).await;
    // Nothing was begun, so that nothing is in doubt.
    running.stopped().await.unwrap();
}
