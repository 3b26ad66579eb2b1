//! The schema: made once, by whoever comes first, and refused if it is newer than this code.

use tokio_postgres::Row;

use super::fault::damaged;
use super::server::{Server, Session};
use super::settings::PostgresEventSettings;
use crate::clock::Entropy;
use crate::error::{Error, Failure};
use crate::position::LogIncarnation;

/// Version of the schema that this code reads and writes.
const VERSION: i32 = 1;
const MIGRATIONS: [(i32, &str); 1] = [(VERSION, include_str!("schema.sql"))];
/// Key of the advisory lock under which migrations run, of all stores of a database.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtext('dcp.migrate'))";

/// Brings the schema up to date. Safe twice, and by several processes at once.
pub(super) async fn migrate(
    server: &Server,
    settings: &PostgresEventSettings,
    entropy: &dyn Entropy,
) -> Result<(), Failure> {
    let schema = &settings.schema;
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

/// Reads it, and refuses a store of another region, of another cluster, or of a newer schema.
pub(super) async fn identity(server: &Server, settings: &PostgresEventSettings) -> Result<Identity, Error> {
    server
        .read(async |session| {
            refuse_newer(&settings.schema, version(session, &settings.schema).await?)?;
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

/// Time-outs of the server's own, so that it gives up with its client.
pub(super) fn session_options(deadline: std::time::Duration) -> String {
    let millis = deadline.as_millis();
    format!(
        "-c statement_timeout={millis} -c lock_timeout={millis} -c idle_in_transaction_session_timeout={millis} \
         -c synchronous_commit=on"
    )
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
