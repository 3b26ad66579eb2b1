//! What travels: answers, errors and failures as they are, and nothing without the key.

use std::time::Duration;

use bytes::Bytes;
use dcp_core::ports::{Key, StateStore};
use dcp_core::remote::{BearerKey, Deadlines, OPERATION_PAYLOAD_MAX_BYTES, RemoteEndpoint, RemoteStateStore};
use dcp_core::{ErrorKind, Failure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::operation::Counted;
use super::proxy::Proxy;
use super::rig::{AMPLE, clock, endpoint, server, start};

#[tokio::test]
async fn an_operation_answers_as_it_is() {
    let running = start(server().operation("count", Counted::open())).await;
    let endpoint = endpoint(running.address);
    let call = |body: &'static str| endpoint.call("count", Bytes::from_static(body.as_bytes()), AMPLE);
    assert_eq!(call("hello").await.unwrap(), "hello");
    let refused = call("refuse").await.unwrap_err();
    let error = refused.not_applied().unwrap();
    assert_eq!((error.kind(), error.code(), error.message()), (ErrorKind::Refused, "a-rule", "the rule says no"));
    let doubt = call("doubt").await.unwrap_err();
    assert!(doubt.is_in_doubt());
    assert_eq!(doubt.code(), "a-doubt");
    running.stopped().await.unwrap();
}

#[tokio::test]
async fn an_effect_that_panics_or_answers_too_much_is_in_doubt() {
    let running = start(server().operation("count", Counted::open())).await;
    let endpoint = endpoint(running.address);
    let panicked = endpoint.call("count", Bytes::from_static(b"panic"), AMPLE).await.unwrap_err();
    assert!(panicked.is_in_doubt());
    assert_eq!(panicked.code(), "effect-lost");
    let huge = endpoint.call("count", Bytes::from_static(b"huge"), AMPLE).await.unwrap_err();
    assert!(huge.is_in_doubt());
    assert_eq!(huge.code(), "unwritable-answer");
    assert_eq!(endpoint.call("count", Bytes::from_static(b"fine"), AMPLE).await.unwrap(), "fine");
}

#[tokio::test]
async fn bodies_are_bounded_on_both_sides() {
    let counted = Counted::open();
    let running = start(server().operation("count", counted.clone())).await;
    let largest = Bytes::from(vec![1; OPERATION_PAYLOAD_MAX_BYTES]);
    let answer = endpoint(running.address).call("count", largest.clone(), AMPLE).await.unwrap();
    assert_eq!(answer, largest);
    let above = Bytes::from(vec![1; OPERATION_PAYLOAD_MAX_BYTES + 1]);
    let refused = endpoint(running.address).call("count", above, AMPLE).await.unwrap_err();
    assert_eq!(refused.not_applied().map(dcp_core::Error::kind), Some(ErrorKind::Invalid));
    let length = 17 << 20;
    let head = format!(
        "POST /v1/operations/count HTTP/1.1\r\nhost: a\r\nauthorization: {}\r\ncontent-length: {length}\r\n\r\n",
        bearer()
    );
    let answer = raw(running.address, head.as_bytes(), length).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert_eq!(counted.done(), 1, "only the lawful one arrived");
}

#[tokio::test]
async fn a_wrong_key_is_refused_with_the_endpoint() {
    let counted = Counted::open();
    let running = start(server().operation("count", counted.clone())).await;
    let wrong = BearerKey::from_bytes(&[8; 32]);
    let endpoint = RemoteEndpoint::new(running.address, &wrong, Deadlines::new(AMPLE), clock()).unwrap();
    for size in [0, 1_000, 4 << 20] {
        let failure = endpoint.call("count", Bytes::from(vec![0; size]), AMPLE).await.unwrap_err();
        let error = failure.not_applied().expect("certainly not applied").clone();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, "wrong-key"));
        assert!(error.message().contains(&running.address.to_string()), "{error}");
    }
    let error = RemoteStateStore::new(endpoint).read(&Key::new("k").unwrap()).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, "wrong-key"));
    assert_eq!(counted.done(), 0);
}

#[tokio::test]
async fn nothing_is_anonymous_also_where_nothing_is_offered() {
    let running = start(server().operation("count", Counted::open())).await;
    for path in ["/v1/operations/count", "/", "/v1/state/read", "/favicon.ico"] {
        for method in ["GET", "POST"] {
            let head = format!("{method} {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
            let answer = raw(running.address, head.as_bytes(), 0).await;
            assert!(answer.starts_with("HTTP/1.1 401"), "{method} {path}: {answer}");
        }
    }
    let head = format!("GET /v1/operations/count HTTP/1.1\r\nhost: a\r\nauthorization: {}\r\n\r\n", bearer());
    assert!(raw(running.address, head.as_bytes(), 0).await.starts_with("HTTP/1.1 405"));
}

#[tokio::test]
async fn what_is_not_offered_is_invalid() {
    let running = start(server()).await;
    let endpoint = endpoint(running.address);
    let failure = endpoint.call("count", Bytes::new(), AMPLE).await.unwrap_err();
    assert_eq!(failure.not_applied().map(dcp_core::Error::code), Some("not-offered"));
    let failure = endpoint.call("../state/read", Bytes::new(), AMPLE).await.unwrap_err();
    assert_eq!(failure.not_applied().map(dcp_core::Error::code), Some("bad-operation-name"));
}

#[tokio::test]
async fn unreadable_requests_are_invalid_and_have_no_effect() {
    let counted = Counted::open();
    let running = start(server().operation("count", counted.clone())).await;
    for (body, code) in
        [(&b"\x02\x00"[..], "unknown-wire-version"), (b"\x01\x09", "unreadable-message"), (b"", "empty-message")]
    {
        let head = format!(
            "POST /v1/operations/count HTTP/1.1\r\nhost: a\r\nauthorization: {}\r\ncontent-length: {}\r\n\r\n",
            bearer(),
            body.len()
        );
        let answer = raw(running.address, &[head.as_bytes(), body].concat(), 0).await;
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains(code), "{code}: {answer}");
    }
    assert_eq!(counted.done(), 0);
}

#[tokio::test]
async fn calls_one_after_the_other_share_a_connection() {
    let running = start(server().operation("count", Counted::open())).await;
    let proxy = Proxy::before(running.address).await;
    let endpoint = endpoint(proxy.address);
    for size in [1, 200_000, 0, 3] {
        assert_eq!(endpoint.call("count", Bytes::from(vec![7; size]), AMPLE).await.unwrap().len(), size);
        assert!(matches!(
            endpoint.call("count", Bytes::from_static(b"refuse"), AMPLE).await,
            Err(Failure::NotApplied(_))
        ));
    }
    assert_eq!(proxy.accepted(), 1);
}

fn bearer() -> String {
    format!("Bearer {}", hex::encode([7; 32]))
}

/// Sends bytes, then zeros, and answers what came back within a moment.
async fn raw(address: std::net::SocketAddr, bytes: &[u8], zeros: usize) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let (mut reading, mut writing) = stream.split();
    let body = vec![0; zeros];
    let mut answer = vec![0; 1 << 16];
    let length = tokio::select! {
        biased;
        length = reading.read(&mut answer) => length.unwrap(),
        () = async { let _ = writing.write_all(&body).await; std::future::pending().await } => 0,
        () = clock_sleep(AMPLE) => panic!("no answer"),
    };
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

async fn clock_sleep(duration: Duration) {
    clock().sleep(duration).await;
}
