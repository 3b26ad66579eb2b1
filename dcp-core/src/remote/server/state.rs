//! `StateStore`, served.

use std::sync::Arc;

use axum::Router;

use super::exchange::{Context, effect, read};
use crate::ports::state_store::SCAN_MAX;
use crate::ports::{Entry, Key, Revision, StateStore, Transaction};
use crate::remote::wire::messages::{SMALL, Scan, paths};

pub(super) fn routes(context: &Context, store: &Arc<dyn StateStore>) -> Router {
    let (reading, scanning, committing) = (Arc::clone(store), Arc::clone(store), Arc::clone(store));
    let one = |entry: &Option<Entry>| entry.as_ref().map_or(SMALL, entry_bytes);
    let many = |entries: &Vec<Entry>| SMALL + entries.iter().map(entry_bytes).sum::<usize>();
    Router::new()
        .route(
            paths::STATE_READ,
            read(context, one, move |key: Key| {
                let store = Arc::clone(&reading);
                async move { store.read(&key).await }
            }),
        )
        .route(
            paths::STATE_SCAN,
            read(context, many, move |scan: Scan<'static>| {
                let store = Arc::clone(&scanning);
                async move {
                    let limit = usize::try_from(scan.limit).unwrap_or(SCAN_MAX);
                    store.scan(&scan.prefix, scan.after.as_deref(), limit).await
                }
            }),
        )
        .route(
            paths::STATE_COMMIT,
            effect(
                context,
                |_: &Revision| SMALL,
                move |transaction: Transaction| {
                    let store = Arc::clone(&committing);
                    async move { store.commit(transaction).await }
                },
            ),
        )
}

fn entry_bytes(entry: &Entry) -> usize {
    32 + entry.key.as_str().len() + entry.value.len()
}
