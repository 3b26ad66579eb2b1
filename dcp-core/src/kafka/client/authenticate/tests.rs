use bytes::{BufMut as _, BytesMut};
use kafka_protocol::messages::{RequestHeader, SaslHandshakeResponse};
use kafka_protocol::protocol::{Decodable as _, Encodable};
use tokio::io::{AsyncWriteExt as _, DuplexStream};

use super::*;
use crate::clock::SeededEntropy;
use crate::error::ErrorKind;
use crate::kafka::client::connection::read_frame;
use crate::kafka::settings::KafkaSettings;

const FRAME_MAX: usize = 1 << 16;

/// A broker's side of the conversation.
struct Broker(DuplexStream);

impl Broker {
    /// The next request's number, and its body.
    async fn asked(&mut self) -> (i32, Bytes) {
        let mut frame = read_frame(&mut self.0, FRAME_MAX).await.unwrap();
        let flexible = frame[1] == 36;
        let header = RequestHeader::decode(&mut frame, if flexible { 2 } else { 1 }).unwrap();
        (header.correlation_id, frame)
    }

    async fn answer(&mut self, number: i32, body: &impl Encodable, version: i16, flexible: bool) {
        let mut out = BytesMut::new();
        out.put_i32(number);
        if flexible {
            out.put_u8(0);
        }
        body.encode(&mut out, version).unwrap();
        self.0.write_i32(i32::try_from(out.len()).unwrap()).await.unwrap();
        self.0.write_all(&out).await.unwrap();
    }

    async fn handshake(&mut self, code: i16) {
        let (number, _) = self.asked().await;
        let offered = vec![text("SCRAM-SHA-256"), text("PLAIN")];
        let answer = SaslHandshakeResponse::default().with_error_code(code).with_mechanisms(offered);
        self.answer(number, &answer, 1, false).await;
    }

    async fn said(&mut self) -> (i32, String) {
        let (number, mut body) = self.asked().await;
        let said = SaslAuthenticateRequest::decode(&mut body, 2).unwrap();
        (number, String::from_utf8(said.auth_bytes.to_vec()).unwrap())
    }

    async fn say(&mut self, number: i32, said: &str, lasts: i64) {
        let answer = SaslAuthenticateResponse::default()
            .with_auth_bytes(Bytes::copy_from_slice(said.as_bytes()))
            .with_session_lifetime_ms(lasts);
        self.answer(number, &answer, 2, true).await;
    }
}

async fn authenticated(mechanism: Mechanism, broker: impl AsyncFnOnce(&mut Broker)) -> Result<Option<Duration>, Error> {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let settings = KafkaSettings::new(["a:1"]);
    let mut dialogue = Dialogue::new(Box::new(ours), &settings);
    let sasl = Sasl::new(mechanism, "alice", "secret");
    let entropy = SeededEntropy::new(1, "nonce");
    let mut peer = Broker(theirs);
    tokio::join!(authenticate(&mut dialogue, &sasl, &entropy), broker(&mut peer)).0
}

#[tokio::test]
async fn a_plain_password_is_sent_as_it_is_and_asked_for_again_in_time() {
    let lasts = authenticated(Mechanism::Plain, async |broker| {
        broker.handshake(0).await;
        let (number, said) = broker.said().await;
        assert_eq!(said, "\0alice\0secret");
        broker.say(number, "", 80_000).await;
    });
    assert_eq!(lasts.await.unwrap(), Some(Duration::from_secs(70)));
}

#[tokio::test]
async fn what_is_not_offered_is_refused_with_what_is() {
    let refused = authenticated(Mechanism::ScramSha512, async |broker| broker.handshake(33).await);
    let error = refused.await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, "mechanism-not-enabled"));
    assert!(error.message().contains("offers SCRAM-SHA-256, PLAIN"), "{error}");
}

#[tokio::test]
async fn a_broker_that_only_pretends_to_know_the_password_is_refused() {
    let refused = authenticated(Mechanism::ScramSha256, async |broker| {
        broker.handshake(0).await;
        let (number, first) = broker.said().await;
        let nonce = first.rsplit_once("r=").unwrap().1;
        broker.say(number, &format!("r={nonce}more,s=c2FsdA==,i=4096"), 0).await;
        let (number, last) = broker.said().await;
        assert!(last.starts_with(&format!("c=biws,r={nonce}more,p=")) && !last.contains("secret"), "{last}");
        broker.say(number, "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 0).await;
    });
    assert_eq!(refused.await.unwrap_err().code(), "broker-not-authenticated");
}
