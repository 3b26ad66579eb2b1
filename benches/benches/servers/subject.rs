//! What is measured: a store on a server, and what a program without the store would do there.

use std::sync::Arc;

use async_trait::async_trait;
use dcp_core::ports::event_store::EventStore;

use crate::postgres::Postgres;
use crate::produce::Target;

#[async_trait]
pub(crate) trait Subject {
    /// A fresh store.
    async fn store(&self) -> Arc<dyn EventStore>;

    /// The same events without the store.
    async fn rival(&self) -> Box<dyn Target>;

    /// What the rival does, in words.
    fn rival_is(&self) -> &'static str;

    /// How the server was started, in words.
    fn conditions(&self) -> String;

    /// Reads what the rival wrote, by position; how many records.
    async fn read_rival(&self) -> u64;
}

/// Starts the server of that store.
pub(crate) fn start(store: &str) -> Result<Box<dyn Subject>, String> {
    match store {
        "postgres" => Ok(Box::new(Postgres::start().map_err(|error| error.to_string())?)),
        other => Err(format!("there is no store {other}")),
    }
}
