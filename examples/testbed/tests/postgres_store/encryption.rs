//! Encrypted connections, and every reason why there is none.

use std::fs;
use std::path::Path;

use dcp_core::ErrorKind;
use dcp_core::store::postgres::PostgresEventSettings;
use dcp_core::store::postgres::tokio_postgres::Config;
use dcp_core::store::postgres::tokio_postgres::config::{ChannelBinding, SslMode};
use dcp_core::testing::fixtures::west;
use dcp_core::tls::Trust;

use crate::events::{assert_holds, batch, owner, session};
use crate::server::{block_on, config, fresh_schema, open_as, server, tls};

pub(crate) fn all() {
    block_on(async {
        let schema = fresh_schema();
        good_certificate(&schema).await;
        passwords(&schema).await;
        certificates_of_clients(&schema).await;
        certificates_of_the_server(&schema).await;
        without(&schema).await;
        // Whatever was refused, what was written is there.
        let store = open_as(carol("carol-secret"), settings(&schema, trust())).await.unwrap();
        assert_holds(&store, 0..1).await;
    });
}

// May come in with a password, and over TLS only.
fn carol(password: &str) -> Config {
    let mut config = config();
    // The password's proof has to be bound to the server's certificate.
    config.user("carol").password(password).channel_binding(ChannelBinding::Require);
    config
}

fn read(path: impl AsRef<Path>) -> Vec<u8> {
    fs::read(path).unwrap()
}

fn trust() -> Trust {
    Trust::in_authorities(&read(tls().authority())).unwrap()
}

fn settings(schema: &str, trust: Trust) -> PostgresEventSettings {
    PostgresEventSettings::new(west()).with_schema(schema).with_trust(trust)
}

async fn refused(config: Config, settings: PostgresEventSettings, code: &str) {
    let error = open_as(config, settings).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, code), "{error}");
    println!("  {error}");
}

async fn good_certificate(schema: &str) {
    let store = open_as(carol("carol-secret"), settings(schema, trust())).await.unwrap();
    owner(&store, 1).await.unwrap().append(batch(0, 0)).await.unwrap();
    let (admin, _, _running) = session("looker").await;
    let encrypted = "SELECT bool_and(ssl), count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE application_name = 'event store of west' AND usename = 'carol'";
    let row = admin.query_one(encrypted, &[]).await.unwrap();
    assert!(row.get::<_, bool>(0) && row.get::<_, i64>(1) > 0);
}

async fn passwords(schema: &str) {
    refused(carol("wrong"), settings(schema, trust()), "not-authorised").await;
    let mut none = config();
    none.user("carol");
    refused(none, settings(schema, trust()), "not-authorised").await;
}

async fn certificates_of_clients(schema: &str) {
    let mut client = config();
    client.user("client");
    let known = |path| Trust::with_identity(&read(tls().authority()), &read(path)).unwrap();
    let schema_of_client = fresh_schema();
    open_as(client.clone(), settings(&schema_of_client, known(tls().client()))).await.unwrap();
    refused(client.clone(), settings(schema, known(tls().other_client())), "tls-refused-by-server").await;
    refused(client, settings(schema, trust()), "not-authorised").await;
}

async fn certificates_of_the_server(schema: &str) {
    let others = Trust::in_authorities(&read(tls().other_authority())).unwrap();
    refused(carol("carol-secret"), settings(schema, others), "tls-unknown-authority").await;
    for (shown, code) in [
        (tls().expired(), "tls-certificate-expired"),
        (tls().other_server(), "tls-unknown-authority"),
        (tls().misnamed(), "tls-wrong-name"),
    ] {
        present(&shown);
        refused(carol("carol-secret"), settings(schema, trust()), code).await;
    }
    present(&tls().server());
}

fn present(certificate: &Path) {
    server().present(certificate).unwrap();
    restart();
}

fn restart() {
    tokio::task::block_in_place(|| {
        server().stop().unwrap();
        server().start().unwrap();
    });
}

async fn without(schema: &str) {
    // The server would take it, and carol may not.
    let plain = || PostgresEventSettings::new(west()).with_schema(schema);
    let mut prefers = carol("carol-secret");
    prefers.channel_binding(ChannelBinding::Prefer);
    refused(prefers, plain(), "not-authorised").await;
    // Demanded, and nobody says whom to trust.
    let mut demands = carol("carol-secret");
    demands.ssl_mode(SslMode::Require);
    let error = open_as(demands, plain()).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, "no-trust"), "{error}");
    server_without(schema).await;
}

// What a server that was built or started without TLS answers to the question for it: one letter.
async fn server_without(schema: &str) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut running = tokio::task::JoinSet::new();
    running.spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        while let Ok((mut client, _)) = listener.accept().await {
            let mut asked = [0; 8];
            client.read_exact(&mut asked).await.unwrap();
            assert_eq!(asked, [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f], "no question for TLS");
            client.write_all(b"N").await.unwrap();
            let _closed = client.read(&mut asked).await;
        }
    });
    let mut config = Config::new();
    config.host("127.0.0.1").port(port).user("carol").password("carol-secret").dbname("postgres");
    refused(config, settings(schema, trust()), "tls-not-offered").await;
}
