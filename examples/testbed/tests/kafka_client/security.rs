//! Passwords and certificates, right and wrong.

use std::path::Path;

use dcp_core::kafka::{KafkaClient, KafkaSettings, Mechanism, NewTopic, Sasl, Security};
use dcp_core::tls::Trust;
use dcp_core::{Error, ErrorKind};
use testbed::{Bed, Wanted};

use crate::broker::{block_on, client, name, plain, port, shared};

fn with_password(mechanism: Mechanism, user: &str, password: &str) -> KafkaClient {
    let address = port(&testbed::shared("kafka").unwrap()[0], "scram");
    let security = Security::default().with_sasl(Sasl::new(mechanism, user, password));
    client(KafkaSettings::new([address]).with_security(security))
}

pub(crate) fn passwords() {
    block_on(async {
        for mechanism in [Mechanism::ScramSha256, Mechanism::ScramSha512] {
            let admin = with_password(mechanism, "admin", "admin-secret");
            assert!(!admin.cluster().await.unwrap().id.is_empty());
            for (user, password) in [("admin", "wrong"), ("nobody", "admin-secret"), ("admin", "")] {
                let error = with_password(mechanism, user, password).cluster().await.unwrap_err();
                assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, "not-authenticated"), "{error}");
                assert!(error.message().contains("correct user and password"), "{error}");
            }
        }
        let error = with_password(Mechanism::Plain, "admin", "admin-secret").cluster().await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, "mechanism-not-enabled"), "{error}");
        assert!(error.message().contains("SCRAM-SHA-512"), "{error}");
    });
}

/// As they are, within the encryption that the listener asks for: outside of it they are not sent anywhere but to
/// this machine.
pub(crate) fn plain_passwords() {
    let bed = Bed::start(&Wanted::one("kafka"), &|line| eprintln!("testbed: {line}")).unwrap();
    let (server, tls) = (bed.server("kafka-a").unwrap(), bed.tls());
    let address = server.address("password_tls").unwrap().to_string();
    let ask = |security: Security| -> Result<String, Error> {
        let settings = KafkaSettings::new([&*address]).with_security(security);
        block_on(async { client(settings).cluster().await.map(|cluster| cluster.id) })
    };
    let encrypted = || Security::default().with_tls(Trust::in_authorities(&read(&tls.authority())).unwrap());
    let of = |user, password| Sasl::new(Mechanism::Plain, user, password);
    for (user, password) in [("admin", "admin-secret"), ("alice", "alice-secret")] {
        assert!(!ask(encrypted().with_sasl(of(user, password))).unwrap().is_empty());
    }
    for (user, password) in [("admin", "wrong"), ("nobody", "admin-secret"), ("admin", "")] {
        let error = ask(encrypted().with_sasl(of(user, password))).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, "not-authenticated"), "{error}");
    }
    let scram = Sasl::new(Mechanism::ScramSha256, "admin", "admin-secret");
    let error = ask(encrypted().with_sasl(scram)).unwrap_err();
    assert_eq!((error.code(), error.message().contains("offers PLAIN")), ("mechanism-not-enabled", true), "{error}");
    // To a listener that speaks TLS without it, and with a wrong authority.
    let error = ask(Security::default().with_sasl(of("admin", "admin-secret"))).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, "not-kafka"), "{error}");
    let strangers = Trust::in_authorities(&read(&tls.other_authority())).unwrap();
    let error = ask(Security::default().with_tls(strangers).with_sasl(of("admin", "admin-secret"))).unwrap_err();
    assert_eq!(error.code(), "tls-unknown-authority", "{error}");
}

pub(crate) fn permissions() {
    block_on(async {
        let alice = with_password(Mechanism::ScramSha256, "alice", "alice-secret");
        let topic = name("forbidden");
        let outcome = alice.create_topics(&[NewTopic::new(topic.clone(), 1, 1)]).await.unwrap();
        let error = outcome[&topic].as_ref().unwrap_err().not_applied().unwrap().clone();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        let admin = plain(&shared());
        admin.create_topics(&[NewTopic::new(topic.clone(), 1, 1)]).await.unwrap()[&topic].as_ref().unwrap();
        let at = crate::broker::at(&topic, 0);
        let error = alice.offsets(&[at], dcp_core::kafka::OffsetAt::LogStart).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Refused | ErrorKind::Invalid), "{error}");
    });
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

pub(crate) fn certificates() {
    let bed = Bed::start(&Wanted::one("kafka"), &|line| eprintln!("testbed: {line}")).unwrap();
    let (server, tls) = (bed.server("kafka-a").unwrap(), bed.tls());
    let address = server.address("tls").unwrap().to_string();
    let ask = |trust: Trust| -> Result<String, Error> {
        let settings = KafkaSettings::new([&*address]).with_security(Security::default().with_tls(trust));
        block_on(async { client(settings).cluster().await.map(|cluster| cluster.id) })
    };
    let ours = || Trust::in_authorities(&read(&tls.authority())).unwrap();
    assert!(!ask(ours()).unwrap().is_empty());
    let known = Trust::with_identity(&read(&tls.authority()), &read(&tls.client())).unwrap();
    assert!(!ask(known).unwrap().is_empty());

    let refused = |error: Error, code: &str| {
        assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, code), "{error}");
    };
    let wrong = Trust::in_authorities(&read(&tls.other_authority())).unwrap();
    refused(ask(wrong).unwrap_err(), "tls-unknown-authority");
    let stranger = Trust::with_identity(&read(&tls.authority()), &read(&tls.other_client())).unwrap();
    refused(ask(stranger).unwrap_err(), "tls-refused-by-server");
    // A client that speaks no TLS to a listener that does.
    let settings = KafkaSettings::new([&*address]);
    refused(block_on(client(settings).cluster()).unwrap_err(), "not-kafka");

    for (certificate, code) in [(tls.expired(), "tls-certificate-expired"), (tls.misnamed(), "tls-wrong-name")] {
        server.stop().unwrap();
        server.present(&certificate).unwrap();
        server.start().unwrap();
        refused(ask(ours()).unwrap_err(), code);
    }
}
