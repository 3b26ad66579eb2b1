//! The schema: made once, by whoever comes first, and refused if it is newer than this code.

use tokio_postgres::Row;

use super::fault::damaged;
use super::server::{Server, Session};
use super::settings::PostgresEventSettings;
use crate::clock::Entropy;
use crate::error::{Error, Failure};
use crate::position::LogIncarnation;

/// Version of the schema that this code reads and writes.
const VERSION: i32 = 3;
/// Each brings the version before it up to its own, and is never changed once it was released.
const MIGRATIONS: [(i32, &str); 3] =
    [(1, include_str!("schema.sql")), (2, include_str!("schema_2.sql")), (VERSION, include_str!("schema_3.sql"))];
/// Key of the advisory lock under which migrations run, of all stores of a database.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtext('dcp.migrate'))";

/// Brings the schema up to date. Safe twice, and by several processes at once.
pub(super) async fn migrate(
    server: &Server,
    settings: &PostgresEventSettings,
    entropy: &dyn Entropy,
) -> Result<(), Failure> {
    let schema = &settings.schema;
    // A service that may not make tables finds nothing to make.
    if server.read(async |session| is_current(session, schema).await).await.map_err(Failure::NotApplied)? {
        return Ok(());
    }
    server
        .write(async |session| {
            let prepare = async {
                session.begin().await?;
                session.plain(LOCK).await?;
                session.plain(&format!("CREATE SCHEMA IF NOT EXISTS {schema}")).await?;
                session
                    .plain(&format!("CREATE TABLE IF NOT EXISTS {schema}.schema_version (version integer PRIMARY KEY)"))
                    .await?;
                let held = version(session, schema).await?;
                refuse_newer(schema, held)?;
                for (number, text) in MIGRATIONS.iter().filter(|(number, _)| *number > held) {
                    session.plain(&text.replace("{schema}", schema)).await?;
                    let noted = format!("INSERT INTO {schema}.schema_version VALUES ({number})");
                    session.plain(&noted).await?;
                }
                create(session, settings, entropy).await
            };
            prepare.await.map_err(Failure::NotApplied)?;
            session.commit_with(async { Ok(()) }).await
        })
        .await
}

async fn is_current(session: &Session, schema: &str) -> Result<bool, Error> {
    let there = "SELECT to_regclass($1 || '.schema_version') IS NOT NULL AND to_regclass($1 || '.store') IS NOT NULL";
    let rows = session.ask(there, &[&schema]).await?;
    if !rows.first().is_some_and(|row| row.get(0)) {
        return Ok(false);
    }
    let held = version(session, schema).await?;
    refuse_newer(schema, held)?;
    let made = session.ask(&format!("SELECT FROM {schema}.store"), &[]).await?;
    Ok(held == VERSION && !made.is_empty())
}

async fn version(session: &Session, schema: &str) -> Result<i32, Error> {
    let rows = session.ask(&format!("SELECT max(version) FROM {schema}.schema_version"), &[]).await?;
    Ok(rows.first().and_then(|row| row.get::<_, Option<i32>>(0)).unwrap_or(0))
}

fn refuse_newer(schema: &str, held: i32) -> Result<(), Error> {
    if held <= VERSION {
        return Ok(());
    }
    Err(Error::refused(
        "newer-schema",
        format!("schema {schema} has version {held}, this code knows up to {VERSION}; update the service"),
    ))
}

async fn create(session: &Session, settings: &PostgresEventSettings, entropy: &dyn Entropy) -> Result<(), Error> {
    let mut incarnation = [0; 16];
    incarnation.copy_from_slice(&entropy.draw()[..16]);
    let text = format!(
        "INSERT INTO {}.store (region, incarnation, system_identifier) \
         SELECT $1, $2, system_identifier FROM pg_control_system() ON CONFLICT (one) DO NOTHING",
        settings.schema
    );
    let statement = session.prepared(&text).await?;
    session.run(&statement, &[&settings.region.as_str(), &incarnation.as_slice()]).await.map(drop)
}

/// What the store's own row says.
pub(super) struct Identity {
    pub(super) incarnation: LogIncarnation,
    pub(super) commit_sequence: u64,
}

/// Refuses a schema that this code does not write. Asked once, at opening: the identity is read with
/// every heartbeat.
pub(super) async fn check_version(server: &Server, schema: &str) -> Result<(), Error> {
    let held = server.read(async |session| version(session, schema).await).await?;
    refuse_newer(schema, held)?;
    if held < VERSION {
        let message = format!("schema {schema} has version {held}, not {VERSION}: run PostgresEventStore::migrate");
        return Err(Error::invalid("older-schema", message));
    }
    Ok(())
}

/// Reads it, and refuses a store of another region or of another cluster.
pub(super) async fn identity(server: &Server, settings: &PostgresEventSettings) -> Result<Identity, Error> {
    server
        .read(async |session| {
            let rows = session.ask(&server.statements.store, &[]).await?;
            let row = rows.first().ok_or_else(|| damaged(format!("{}.store is empty", settings.schema)))?;
            read_identity(row, settings)
        })
        .await
}

pub(super) fn read_identity(row: &Row, settings: &PostgresEventSettings) -> Result<Identity, Error> {
    let (region, was, is): (&str, i64, i64) = (row.get(1), row.get(2), row.get(4));
    if region != settings.region.as_str() {
        let message = format!("schema {} is the store of {region}, not of {}", settings.schema, settings.region);
        return Err(Error::invalid("other-region", message));
    }
    if was != is {
        return Err(Error::corrupt(
            "other-cluster",
            format!(
                "schema {} was written in cluster {was} and lies in cluster {is}: it was dumped and restored. \
                 Positions that others hold may not be of this history: keep it closed and reseed the region",
                settings.schema
            ),
        ));
    }
    let bytes: &[u8] = row.get(0);
    let incarnation = <[u8; 16]>::try_from(bytes).map_err(|_| damaged("an incarnation of another length"))?;
    let commit_sequence = super::rows::unsigned(row.get(3), &"commits")?;
    Ok(Identity { incarnation: LogIncarnation::from_bytes(incarnation), commit_sequence })
}

/// Says whether the answer to a connection's first question allows writing.
pub(super) async fn refuse_standby(server: &Server) -> Result<(), Error> {
    server
        .read(async |session| {
            let rows = session.ask("SELECT pg_is_in_recovery(), current_setting('transaction_read_only')", &[]).await?;
            let row = rows.first().ok_or_else(|| damaged("no answer"))?;
            if row.get::<_, bool>(0) || row.get::<_, &str>(1) == "on" {
                return Err(Error::refused(
                    "read-only-server",
                    "the server is in recovery or read-only; connect to the primary",
                ));
            }
            Ok(())
        })
        .await
}
