//! Broken sockets: not applied only where nothing was sent.

use std::time::Duration;

use bytes::Bytes;
use dcp_core::ErrorKind;
use dcp_core::ports::{Key, StateStore};
use dcp_core::remote::{RemoteEndpoint, RemoteStateStore};
use tokio::net::TcpListener;

use super::operation::Counted;
use super::proxy::{Fault, Proxy};
use super::rig::{AMPLE, Running, clock, endpoint, endpoint_within, server, start};

async fn effect(endpoint: &RemoteEndpoint) -> Result<Bytes, dcp_core::Failure> {
    endpoint.call("count", Bytes::from_static(b"x"), endpoint.deadlines().effect()).await
}

async fn read(endpoint: &RemoteEndpoint) -> dcp_core::Error {
    RemoteStateStore::new(endpoint.clone()).read(&Key::new("k").unwrap()).await.unwrap_err()
}

async fn rig() -> (std::sync::Arc<Counted>, Running, Proxy) {
    let counted = Counted::open();
    let running = start(server().operation("count", counted.clone())).await;
    let proxy = Proxy::before(running.address).await;
    (counted, running, proxy)
}

#[tokio::test]
async fn a_refused_connection_is_not_applied() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = endpoint(listener.local_addr().unwrap());
    drop(listener);
    let failure = effect(&endpoint).await.unwrap_err();
    assert_eq!(failure.not_applied().map(dcp_core::Error::kind), Some(ErrorKind::Retry));
    assert_eq!(read(&endpoint).await.kind(), ErrorKind::Retry);
}

#[tokio::test]
async fn a_kept_connection_that_was_cut_before_the_request_is_not_applied() {
    let (counted, _running, proxy) = rig().await;
    let endpoint = endpoint(proxy.address);
    effect(&endpoint).await.unwrap();
    proxy.close().await;
    clock().sleep(Duration::from_millis(20)).await;
    let failure = effect(&endpoint).await.unwrap_err();
    assert_eq!(failure.not_applied().map(dcp_core::Error::kind), Some(ErrorKind::Retry), "{failure}");
    assert_eq!(counted.done(), 1);
}

#[tokio::test]
async fn a_server_that_came_back_is_reached_over_a_new_connection() {
    let (counted, running, _proxy) = rig().await;
    let endpoint = endpoint(running.address);
    effect(&endpoint).await.unwrap();
    let address = running.address;
    running.stopped().await.unwrap();
    let listener = TcpListener::bind(address).await.unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let mut again = tokio::task::JoinSet::new();
    again.spawn(server().operation("count", counted.clone()).serve(listener, stop));
    effect(&endpoint).await.unwrap();
    assert_eq!(counted.done(), 2);
}

#[tokio::test]
async fn a_cut_in_place_of_the_answer_is_in_doubt_and_not_repeated() {
    let (counted, _running, proxy) = rig().await;
    let endpoint = endpoint(proxy.address);
    proxy.set(Fault::CutAnswer);
    let failure = effect(&endpoint).await.unwrap_err();
    assert!(failure.is_in_doubt(), "{failure}");
    assert_eq!(counted.done(), 1, "it had happened");
    proxy.set(Fault::None);
    effect(&endpoint).await.unwrap();
    proxy.set(Fault::CutAnswer);
    assert!(effect(&endpoint).await.unwrap_err().is_in_doubt(), "on a kept connection too");
    assert_eq!(counted.done(), 3);
    assert_eq!(read(&endpoint).await.kind(), ErrorKind::Retry);
}

#[tokio::test]
async fn a_truncated_answer_is_in_doubt_wherever_it_ends() {
    let (counted, _running, proxy) = rig().await;
    let endpoint = endpoint(proxy.address);
    // The whole answer is above 100 bytes of head and 5 of body.
    for (calls, bytes) in [1, 9, 40, 80, 100].into_iter().enumerate() {
        proxy.set(Fault::CutAnswerAfter(bytes));
        let failure = effect(&endpoint).await.unwrap_err();
        assert!(failure.is_in_doubt(), "{bytes}: {failure}");
        assert_eq!(counted.done(), calls + 1);
        assert_eq!(read(&endpoint).await.kind(), ErrorKind::Retry);
    }
}

#[tokio::test]
async fn a_stalled_server_runs_into_the_deadline() {
    let (counted, _running, proxy) = rig().await;
    proxy.set(Fault::Stall);
    let (clock, deadline) = (clock(), Duration::from_millis(60));
    let endpoint = endpoint_within(proxy.address, deadline);
    let begun = clock.now();
    assert!(effect(&endpoint).await.unwrap_err().is_in_doubt());
    assert!(clock.now().since(begun) >= deadline);
    let error = read(&endpoint).await;
    assert_eq!((error.kind(), error.code()), (ErrorKind::Retry, "no-answer"));
    assert_eq!(counted.done(), 0);
    proxy.set(Fault::None);
    let patient = endpoint_within(proxy.address, AMPLE);
    effect(&patient).await.unwrap();
}

#[tokio::test]
async fn garbage_is_in_doubt_for_effects_and_never_an_answer() {
    let (_counted, _running, proxy) = rig().await;
    let endpoint = endpoint(proxy.address);
    let ours = |status: &str, body: &str| {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/vnd.dcp.remote\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    };
    let cases = [
        ("\0\0\0\0garbage\r\n\r\n".to_owned(), ErrorKind::Retry),
        ("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\nhi".to_owned(), ErrorKind::Retry),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(), ErrorKind::Retry),
        (ours("200 OK", ""), ErrorKind::Corrupt),
        (ours("200 OK", "\x01\x07garbage"), ErrorKind::Corrupt),
        (ours("200 OK", "\x02\0"), ErrorKind::Corrupt),
        // A length above the bound.
        (
            "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.dcp.remote\r\ncontent-length: 99999999\r\n\r\n"
                .to_owned(),
            ErrorKind::Retry,
        ),
    ];
    for (answer, kind) in cases {
        proxy.set(Fault::Answer(answer.clone().into_bytes()));
        let failure = effect(&endpoint).await.unwrap_err();
        assert!(failure.is_in_doubt(), "{answer:?}: {failure}");
        assert_eq!(read(&endpoint).await.kind(), kind, "{answer:?}");
    }
}
