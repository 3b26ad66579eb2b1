//! The Postgres event store keeps every clause of its port on a real server.

#![allow(clippy::unwrap_used, clippy::expect_used)] // A test stops at what it did not expect.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use dcp_core::clock::SeededEntropy;
use dcp_core::event_store_conformance;
use dcp_core::ports::EventStore;
use dcp_core::store::postgres::{PostgresEventSettings, PostgresEventStore};
use dcp_core::testing::event_store::EventStoreFixture;
use dcp_core::testing::fixtures;

static SCHEMAS: AtomicU32 = AtomicU32::new(0);

struct OnServer {
    schema: String,
    store: Option<Arc<PostgresEventStore>>,
}

async fn open(schema: &str) -> Arc<PostgresEventStore> {
    let config = std::env::var("DCP_POSTGRES").unwrap().parse().unwrap();
    let settings = PostgresEventSettings::new(fixtures::west()).with_schema(schema);
    let entropy = Arc::new(SeededEntropy::from_system().unwrap());
    Arc::new(PostgresEventStore::connect(config, settings, entropy).await.unwrap())
}

#[async_trait]
impl EventStoreFixture for OnServer {
    async fn start() -> Self {
        let number = SCHEMAS.fetch_add(1, Ordering::SeqCst);
        let schema = format!("conformance_{}_{number}", std::process::id());
        let store = Some(open(&schema).await);
        Self { schema, store }
    }

    fn store(&self) -> Arc<dyn EventStore> {
        self.store.clone().unwrap()
    }

    async fn crash(&mut self) {
        drop(self.store.take());
        self.store = Some(open(&self.schema).await);
    }
}

event_store_conformance!(postgres, OnServer);
