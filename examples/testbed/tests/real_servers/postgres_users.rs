//! Who may come in to Postgres, and how: passwords, TLS, certificates.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use dcp_core::store::postgres::tokio_postgres::{self, NoTls};
use testbed::catalog::{POSTGRES_CERTIFICATE_USER, POSTGRES_TLS_USER, POSTGRES_USER};
use testbed::harness::Case;
use testbed::{Bed, Wanted};

use crate::tls::{Encrypted, encrypted, refuses_each};

pub(crate) const CASES: &[Case<'_>] =
    &[Case { name: "postgres::knows_who_comes_in_and_how", needs: &["postgres"], run: &users }];

fn users() {
    let bed = Bed::start(&Wanted::one("postgres"), &|_| {}).unwrap();
    let server = bed.server("postgres-a").unwrap();
    let at = server.address("sql").unwrap();

    // By password, over SCRAM-SHA-256.
    let (user, password) = POSTGRES_USER;
    let stored = login(at, user, password, "SELECT current_setting('password_encryption'), current_user").unwrap();
    assert_eq!(stored, ["scram-sha-256", user]);
    let kept = login(at, "postgres", "", "SELECT rolpassword, '' FROM pg_authid WHERE rolname = 'alice'").unwrap();
    assert!(kept[0].starts_with("SCRAM-SHA-256$"), "{kept:?}");
    login(at, user, password, "CREATE SCHEMA of_alice; CREATE TABLE of_alice.t (i int)").unwrap();
    let wrong = login(at, user, "a wrong password", "SELECT 1").unwrap_err();
    assert!(wrong.contains("password authentication failed"), "{wrong}");

    // Over TLS only.
    let (user, password) = POSTGRES_TLS_USER;
    let plain = login(at, user, password, "SELECT 1").unwrap_err();
    assert!(plain.contains("pg_hba.conf rejects") && plain.contains("no encryption"), "{plain}");
    let authority = bed.tls().authority();
    let mut secured = over_tls(at, &authority, None).unwrap();
    // 10: SASL, its names follow.
    assert!(enter(&mut secured, user).unwrap().contains("SCRAM-SHA-256-PLUS"));

    // By certificate: the right one and no other.
    let mut client = over_tls(at, &authority, Some(&bed.tls().client())).unwrap();
    assert!(enter(&mut client, POSTGRES_CERTIFICATE_USER).unwrap().contains("server_version"));
    let mut nobody = over_tls(at, &authority, None).unwrap();
    assert!(enter(&mut nobody, POSTGRES_CERTIFICATE_USER).is_err());
    let other = over_tls(at, &authority, Some(&bed.tls().other_client()));
    assert!(other.and_then(|mut other| enter(&mut other, POSTGRES_CERTIFICATE_USER)).is_err());

    let refused = over_tls(at, &bed.tls().other_authority(), None).unwrap_err();
    assert!(refused.to_string().contains("UnknownIssuer"), "{refused}");
    refuses_each(&bed, &server, &|| over_tls(at, &authority, None));
}

// The first row of the last answer that has one.
fn login(at: SocketAddr, user: &str, password: &str, query: &str) -> Result<Vec<String>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut config = tokio_postgres::Config::new();
    config.host(at.ip().to_string()).port(at.port()).user(user).password(password).dbname("postgres");
    runtime.block_on(async {
        let (client, connection) = config.connect(NoTls).await.map_err(words)?;
        let mut running = tokio::task::JoinSet::new();
        running.spawn(connection);
        let answers = client.simple_query(query).await.map_err(words)?;
        let row = answers.iter().find_map(|answer| match answer {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let columns = row.map(|row| (0..row.len()).map(|at| row.get(at).unwrap().to_owned()).collect());
        Ok(columns.unwrap_or_default())
    })
}

fn words(error: tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string)
}

// After the question whether it speaks TLS, a byte: it does, or not.
fn over_tls(at: SocketAddr, authority: &Path, shown: Option<&Path>) -> io::Result<Encrypted> {
    let mut stream = TcpStream::connect(at)?;
    stream.write_all(b"\0\0\0\x08\x04\xd2\x16\x2f")?;
    let mut answer = [0];
    stream.read_exact(&mut answer)?;
    assert_eq!(answer, *b"S");
    encrypted(stream, authority, shown)
}

// What it says to that user first.
fn enter(stream: &mut Encrypted, user: &str) -> io::Result<String> {
    let who = [b"\0\x03\0\0user\0", user.as_bytes(), b"\0database\0postgres\0\0"].concat();
    stream.write_all(&[&u32::try_from(who.len() + 4).unwrap().to_be_bytes()[..], &who].concat())?;
    stream.flush()?;
    let mut said = vec![0; 4096];
    let read = stream.read(&mut said)?;
    let said = String::from_utf8_lossy(&said[..read]).into_owned();
    if said.starts_with('R') { Ok(said) } else { Err(io::Error::other(said)) }
}
