//! The Postgres event store, and an `INSERT` of the same columns for each event in a transaction of
//! its own: as many connections, and no fence, no versions and no look for the event's id.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use dcp_core::clock::{Clock as _, SeededEntropy, SystemClock};
use dcp_core::ports::event_store::{EventStore, OwnerBatch};
use dcp_core::store::postgres::deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use dcp_core::store::postgres::tokio_postgres::{Config, NoTls};
use dcp_core::store::postgres::{PostgresEventSettings, PostgresEventStore};
use dcp_core::testing::fixtures::west;
use testbed::{Bed, Wanted};
use uuid::Uuid;

use crate::produce::Target;
use crate::subject::{Read, Subject};

/// As many as the store's own pool has.
const CONNECTIONS: usize = 16;
const TABLE: &str = "CREATE TABLE naive (seq bigserial PRIMARY KEY, log_id integer NOT NULL, rank bigint NOT NULL, \
     id uuid NOT NULL, stream bytea NOT NULL, version bigint NOT NULL, epoch bigint NOT NULL, \
     event_type bytea NOT NULL, key bytea, payload bytea NOT NULL, headers bytea NOT NULL, content bytea NOT NULL, \
     prefix bytea NOT NULL, recorded_at timestamptz NOT NULL DEFAULT clock_timestamp())";
const INSERT: &str = "INSERT INTO naive (log_id, rank, id, stream, version, epoch, event_type, key, payload, headers, \
     content, prefix) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
const READ: &str = "SELECT seq, id, stream, version, epoch, event_type, key, payload, headers FROM naive \
     WHERE seq > $1 ORDER BY seq LIMIT 2000";

pub(crate) struct Postgres {
    // Dropping it ends the server.
    _bed: Bed,
    address: SocketAddr,
    pool: Pool,
}

impl Postgres {
    pub(crate) fn start() -> Result<Self, testbed::Error> {
        let bed = Bed::start(&Wanted::one("postgres"), &|line| eprintln!("  {line}"))?;
        let address = bed.server("postgres-a")?.address("sql")?;
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config(address), NoTls, recycling);
        let pool = Pool::builder(manager).max_size(CONNECTIONS).build().expect("settings of a pool");
        Ok(Self { _bed: bed, address, pool })
    }
}

fn config(address: SocketAddr) -> Config {
    let mut config = Config::new();
    config.host(address.ip().to_string()).port(address.port()).user("postgres").dbname("postgres");
    config
}

#[async_trait]
impl Subject for Postgres {
    async fn store(&self) -> Arc<dyn EventStore> {
        let entropy = Arc::new(SeededEntropy::from_system().expect("the system's randomness"));
        let settings = PostgresEventSettings::new(west());
        Arc::new(PostgresEventStore::connect(config(self.address), settings, entropy).await.expect("a fresh server"))
    }

    async fn rival(&self) -> Box<dyn Target> {
        let connection = self.pool.get().await.expect("a connection");
        connection.batch_execute(TABLE).await.expect("a fresh database");
        Box::new(Naive(self.pool.clone()))
    }

    fn rival_is(&self) -> &'static str {
        "rival: one INSERT of the same columns for each event and transaction, on as many connections"
    }

    fn conditions(&self) -> String {
        format!("Postgres on loopback, fsync on, {CONNECTIONS} connections")
    }

    async fn read_rival(&self, _: u64) -> Result<Read, String> {
        let (clock, mut records, mut after) = (SystemClock::new(), 0, 0_i64);
        let begun = clock.now();
        let connection = self.pool.get().await.expect("a connection");
        loop {
            let statement = connection.prepare_cached(READ).await.expect("a statement");
            let rows = connection.query(&statement, &[&after]).await.expect("a page");
            let Some(last) = rows.last() else {
                let seconds = clock.now().since(begun).as_secs_f64();
                // Its CPU is this process's, which does nothing else: the ratio by time says it.
                return Ok(Read { records, seconds, cpu_seconds: None });
            };
            after = last.get(0);
            // As much as a reader must do: every column becomes a value.
            for row in &rows {
                let payload = Bytes::copy_from_slice(row.get(7));
                let stream = String::from_utf8_lossy(row.get(2)).into_owned();
                std::hint::black_box((row.get::<_, Uuid>(1), stream, payload));
                records += 1;
            }
        }
    }
}

struct Naive(Pool);

#[async_trait]
impl Target for Naive {
    async fn send(&self, batch: OwnerBatch) {
        let connection = self.0.get().await.expect("a connection");
        let statement = connection.prepare_cached(INSERT).await.expect("a statement");
        let log = i32::try_from(batch.log.partition()).expect("a small number");
        let (digest, headers, no_key) = ([7_u8; 32].as_slice(), [0_u8].as_slice(), None::<&[u8]>);
        for event in &batch.events {
            let (id, stream) = (Uuid::from_bytes(*event.id.as_bytes()), event.stream.as_str().as_bytes());
            let (kind, payload) = (event.event_type.as_bytes(), event.payload.as_ref());
            connection
                .execute(
                    &statement,
                    &[&log, &1_i64, &id, &stream, &1_i64, &1_i64, &kind, &no_key, &payload, &headers, &digest, &digest],
                )
                .await
                .expect("an insert");
        }
    }
}
