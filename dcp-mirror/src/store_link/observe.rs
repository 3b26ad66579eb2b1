//! What the worker asks the source before it decides.

use std::collections::BTreeMap;
use std::future::Future;

use dcp_core::log::LogId;
use dcp_core::position::{Cut, PrefixDigest};
use dcp_core::{Error, ErrorKind};
use tokio_util::sync::CancellationToken;

use super::StoreLink;
use super::work::LogWork;
use crate::decide::{Breach, Divergence, LogView, Shared};
use crate::lanes::{Lane, in_lanes};

/// Why a call to the source gave nothing.
#[derive(Debug)]
pub(super) enum Missed {
    /// The link was stopped or its desire changed: begin again.
    Interrupted,
    /// The source does not answer now.
    Unreachable(Error),
    /// The source contradicts itself, or refuses a position that it gave out.
    Contradicts(Error),
    /// The source refuses this reader: repeating does not help.
    Refused(Error),
}

impl Missed {
    fn of(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Retry | ErrorKind::Stopped | ErrorKind::Conflict => Self::Unreachable(error),
            ErrorKind::Corrupt => Self::Contradicts(error),
            ErrorKind::Fenced | ErrorKind::Refused | ErrorKind::Invalid => Self::Refused(error),
        }
    }
}

/// Calls the source, bounded in time and given up when the link is told something else. Only reads
/// go through here: a dropped read loses nothing.
pub(super) async fn ask<T>(
    link: &StoreLink,
    interrupt: &CancellationToken,
    call: impl Future<Output = Result<T, Error>> + Send,
) -> Result<T, Missed> {
    let timeout = link.settings.call_timeout;
    tokio::select! {
        biased;
        () = interrupt.cancelled() => Err(Missed::Interrupted),
        answer = call => answer.map_err(Missed::of),
        () = link.ports.clock.sleep(timeout) => {
            let sentence = format!("{} did not answer within {timeout:?}", link.settings.source);
            Err(Missed::Unreachable(Error::retry("source-silent", sentence)))
        }
    }
}

/// One view per log.
pub(super) fn views(ends: &Cut, works: &BTreeMap<LogId, LogWork>) -> Result<BTreeMap<LogId, LogView>, (LogId, Missed)> {
    let view = |(log, work): (&LogId, &LogWork)| {
        let Some(source) = ends.get(log).copied() else {
            let error = Error::corrupt("missing-end", format!("{log}: the source did not answer its end"));
            return Err((log.clone(), Missed::Contradicts(error)));
        };
        let copied_from = work.cursor.map(|cursor| cursor.position.incarnation());
        let shared = if work.checked { Shared::Checked } else { Shared::Unchecked };
        Ok((log.clone(), LogView { source, applied: work.applied, copied_from, shared }))
    };
    works.iter().map(view).collect()
}

/// Asks for the prefixes that have not been compared since the link connected or was set going.
pub(super) async fn compare(
    link: &StoreLink,
    interrupt: &CancellationToken,
    views: &mut BTreeMap<LogId, LogView>,
) -> Result<(), (LogId, Missed)> {
    let mut asked: Vec<Lane<'_, _>> = Vec::new();
    for (log, view) in views.iter_mut().filter(|(_, view)| view.needs_prefix()) {
        asked.push(Box::pin(async move {
            let prefix = ask(link, interrupt, link.ports.source.prefix(log, view.applied.count)).await;
            prefix.map(|prefix| view.shared = Shared::Answered(prefix)).map_err(|missed| (log.clone(), missed))
        }));
    }
    in_lanes(asked, link.settings.lanes).await.into_iter().collect()
}

/// The divergence that a source's contradiction is kept as.
pub(super) fn contradiction(log: &LogId, ends: Option<&Cut>, mirror: PrefixDigest, error: &Error) -> Divergence {
    let source = ends.and_then(|ends| ends.get(log)).map_or(PrefixDigest::EMPTY, |end| end.prefix);
    Divergence { log: log.clone(), breach: Breach::Corrupt, source, mirror, detail: format!("; {error}") }
}
