//! `EventSource`, served. A read opens a reader at the place it names: the server keeps no sessions.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bytes::Bytes;

use super::exchange::{Context, read};
use super::page::Page;
use crate::error::Error;
use crate::event::Placed;
use crate::fence::Fence;
use crate::ids::CursorName;
use crate::log::LogId;
use crate::ports::{EventSource, Sighting, StoreIdentity};
use crate::position::{Cut, PrefixDigest};
use crate::remote::wire::messages::{Open, Prefix, Read, SMALL, Sightings, paths, record_bytes, records_bytes};

/// Longest time that one read waits for a first record; a client asks again.
pub(in crate::remote) const WAIT_MAX: Duration = Duration::from_secs(20);

pub(super) fn routes(context: &Context, source: &Arc<dyn EventSource>) -> Router {
    facts(context, source).merge(records(context, source))
}

fn facts(context: &Context, source: &Arc<dyn EventSource>) -> Router {
    let (identity, ends, logs) = (Arc::clone(source), Arc::clone(source), Arc::clone(source));
    let (fence, prefix, cursor) = (Arc::clone(source), Arc::clone(source), Arc::clone(source));
    let identity = read(
        context,
        |_: &StoreIdentity| SMALL,
        move |(): ()| {
            let source = Arc::clone(&identity);
            async move { source.identity().await }
        },
    );
    let ends = read(
        context,
        |cut: &Cut| SMALL + cut.len() * 320,
        move |named: Vec<LogId>| {
            let source = Arc::clone(&ends);
            async move { source.ends(&named).await }
        },
    );
    let logs = read(
        context,
        |logs: &Vec<LogId>| SMALL + logs.len() * 64,
        move |(): ()| {
            let source = Arc::clone(&logs);
            async move { source.logs().await }
        },
    );
    let fence = read(
        context,
        |_: &Fence| SMALL,
        move |log: LogId| {
            let source = Arc::clone(&fence);
            async move { source.fence(&log).await }
        },
    );
    let prefix = read(
        context,
        |_: &Option<PrefixDigest>| SMALL,
        move |question: Prefix<'static>| {
            let source = Arc::clone(&prefix);
            async move { source.prefix(&question.log, question.count).await }
        },
    );
    let cursor = read(
        context,
        |_: &Option<Bytes>| SMALL,
        move |name: CursorName| {
            let source = Arc::clone(&cursor);
            async move { source.cursor(&name).await }
        },
    );
    Router::new()
        .route(paths::EVENTS_IDENTITY, identity)
        .route(paths::EVENTS_ENDS, ends)
        .route(paths::EVENTS_LOGS, logs)
        .route(paths::EVENTS_FENCE, fence)
        .route(paths::EVENTS_PREFIX, prefix)
        .route(paths::EVENTS_CURSOR, cursor)
}

fn records(context: &Context, source: &Arc<dyn EventSource>) -> Router {
    let (sightings, open, reading) = (Arc::clone(source), Arc::clone(source), Arc::clone(source));
    let sightings = read(
        context,
        |seen: &Vec<Sighting>| SMALL + seen.len() * 192,
        move |question: Sightings<'static>| {
            let source = Arc::clone(&sightings);
            async move { source.sightings(&question.scope, question.partition, &question.ids).await }
        },
    );
    let open = read(
        context,
        |(): &()| SMALL,
        move |question: Open<'static>| {
            let source = Arc::clone(&open);
            async move { source.open_reader(&question.log, question.from).await.map(drop) }
        },
    );
    let reading = read(
        context,
        |records: &Vec<Placed>| SMALL + records_bytes(records),
        move |question: Read<'static>| {
            let source = Arc::clone(&reading);
            async move { read_page(source.as_ref(), &question).await }
        },
    );
    Router::new()
        .route(paths::EVENTS_SIGHTINGS, sightings)
        .route(paths::EVENTS_OPEN, open)
        .route(paths::EVENTS_READ, reading)
}

async fn read_page(source: &dyn EventSource, question: &Read<'_>) -> Result<Vec<Placed>, Error> {
    let mut reader = source.open_reader(&question.log, question.from).await?;
    let mut page = Page::new(question.limit);
    let mut answer = Vec::new();
    let mut wait = Duration::from_millis(question.wait_ms).min(WAIT_MAX);
    loop {
        let look = page.next_look();
        if look == 0 {
            return Ok(answer);
        }
        let found = reader.next(look, wait).await?;
        // Only the first look waits; then the answer is what there is.
        wait = Duration::ZERO;
        let short = found.len() < look;
        for placed in found {
            if !page.take(record_bytes(&placed.record)) {
                return Ok(answer);
            }
            answer.push(placed);
        }
        if short {
            return Ok(answer);
        }
    }
}
