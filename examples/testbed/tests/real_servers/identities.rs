//! Who may come in to Kafka, and what they may do: TLS and SCRAM listeners, and access rules.

use std::net::TcpStream;

use testbed::catalog::{KAFKA_ADMINISTRATOR, KAFKA_USER};
use testbed::harness::Case;
use testbed::{Bed, Wanted};

use crate::scram;
use crate::speak::{Marker, asked, create_topic};
use crate::tls::{encrypted, refuses_each};

pub(crate) const CASES: &[Case<'_>] =
    &[Case { name: "kafka::knows_who_comes_in_and_what_they_may_do", needs: &["kafka"], run: &identities }];

/// What CreateTopics says to whom no access rule allows it: CLUSTER_AUTHORIZATION_FAILED or
/// TOPIC_AUTHORIZATION_FAILED.
const NOT_ALLOWED: [u16; 2] = [31, 29];

fn identities() {
    let bed = Bed::start(&Wanted::one("kafka"), &|_| {}).unwrap();
    let kafka = bed.server("kafka-a").unwrap();

    // Over TLS, for those who trust the right authority.
    let tls = kafka.address("tls").unwrap();
    let metadata = b"\0\x03\0\x01\0\0\0\x01\xff\xff\xff\xff\xff\xff";
    let enter = |authority: &std::path::Path| encrypted(TcpStream::connect(tls).unwrap(), authority, None);
    let answer = asked(&mut enter(&bed.tls().authority()).unwrap(), metadata).unwrap();
    assert!(answer.windows(9).any(|part| part == b"127.0.0.1"));
    let refused = enter(&bed.tls().other_authority()).unwrap_err();
    assert!(refused.to_string().contains("UnknownIssuer"), "{refused}");
    refuses_each(&bed, &kafka, &|| enter(&bed.tls().authority()));

    // Over SCRAM, for those who know the password; the authorizer tells them apart.
    let sasl = kafka.address("scram").unwrap();
    let mut plain = TcpStream::connect(sasl).unwrap();
    assert!(asked(&mut plain, metadata).is_err(), "who says nothing of themselves come in");
    let wrong = scram::come_in(sasl, KAFKA_USER.0, "a wrong password").unwrap_err();
    assert!(wrong.to_string().contains("58"), "{wrong}");
    let mut user = scram::come_in(sasl, KAFKA_USER.0, KAFKA_USER.1).unwrap();
    let code = created(&asked(&mut user, &create_topic("user-topic")).unwrap(), "user-topic");
    assert!(NOT_ALLOWED.contains(&code), "{code}");
    let mut admin = scram::come_in(sasl, KAFKA_ADMINISTRATOR.0, KAFKA_ADMINISTRATOR.1).unwrap();
    assert_eq!(created(&asked(&mut admin, &create_topic("admin-topic")).unwrap(), "admin-topic"), 0);
    let topics = Marker::of(&kafka).read().unwrap();
    let there = |topic: &[u8]| topics.windows(topic.len()).any(|part| part == topic);
    assert!(there(b"admin-topic") && !there(b"user-topic"));
}

// The error code stands after the topic's name.
fn created(answer: &[u8], topic: &str) -> u16 {
    let at = answer.windows(topic.len()).position(|part| part == topic.as_bytes()).unwrap() + topic.len();
    u16::from_be_bytes([answer[at], answer[at + 1]])
}
