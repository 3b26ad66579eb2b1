//! One Postgres server for all cases, which run one after the other.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use dcp_core::Error;
use dcp_core::clock::SeededEntropy;
use dcp_core::ports::EventStore;
use dcp_core::store::postgres::{PostgresEventSettings, PostgresEventStore, tokio_postgres};
use dcp_core::testing::event_store::EventStoreFixture;
use dcp_core::testing::fixtures;
use testbed::{Bed, Server, Tls, Wanted};

pub(crate) const NEEDS: &[&str] = &["postgres"];

static BED: LazyLock<Bed> =
    LazyLock::new(|| Bed::start(&Wanted::one("postgres"), &|line| eprintln!("  {line}")).unwrap());
static SCHEMAS: AtomicU32 = AtomicU32::new(0);

/// The server.
pub(crate) fn server() -> Arc<Server> {
    BED.server("postgres-a").unwrap()
}

/// Certificates, for those who trust it and for those who must not.
pub(crate) fn tls() -> &'static Tls {
    BED.tls()
}

/// Runs a test on two threads, as the services that it stands for.
pub(crate) fn block_on<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(test)
}

/// How to reach it.
pub(crate) fn config() -> tokio_postgres::Config {
    let address = server().address("sql").unwrap();
    let mut config = tokio_postgres::Config::new();
    config.host(address.ip().to_string()).port(address.port()).user("postgres").dbname("postgres");
    config
}

/// A name that no other store has.
pub(crate) fn fresh_schema() -> String {
    format!("store_{}", SCHEMAS.fetch_add(1, Ordering::SeqCst))
}

/// Opens the store in a schema, or makes it.
pub(crate) async fn open(schema: &str) -> Result<Arc<PostgresEventStore>, Error> {
    open_as(config(), PostgresEventSettings::new(fixtures::west()).with_schema(schema)).await
}

/// The same with other settings.
pub(crate) async fn open_as(
    config: tokio_postgres::Config,
    settings: PostgresEventSettings,
) -> Result<Arc<PostgresEventStore>, Error> {
    let entropy = Arc::new(SeededEntropy::from_system()?);
    Ok(Arc::new(PostgresEventStore::connect(config, settings, entropy).await?))
}

/// A store whose crash is the death of the server's processes.
pub(crate) struct OnServer {
    schema: String,
    store: Option<Arc<PostgresEventStore>>,
}

#[async_trait]
impl EventStoreFixture for OnServer {
    async fn start() -> Self {
        let schema = fresh_schema();
        let store = Some(open(&schema).await.unwrap());
        Self { schema, store }
    }

    fn store(&self) -> Arc<dyn EventStore> {
        self.store.clone().unwrap()
    }

    async fn crash(&mut self) {
        server().kill().unwrap();
        drop(self.store.take());
        server().start().unwrap();
        self.store = Some(open(&self.schema).await.unwrap());
    }
}
