//! Opening a writer and sealing.
//!
//! Whoever opens or raises a fence takes the log's transactional id first: from then on nothing of a
//! predecessor can be committed, and what it left open is aborted. Only then is the fence read for the
//! last time, raised in a transaction of that id, and the log folded to its end. A stale opener is
//! refused by the fence before it takes the id, so that it disturbs nobody.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cluster::Until;
use super::core::Core;
use super::log::Log;
use super::log_writer::{LogWriter, Session};
use super::producer::{Producer, is_fenced};
use super::state::{fence_key, fence_value};
use super::topics;
use crate::error::{Error, Failure};
use crate::fence::Fence;
use crate::log::LogId;
use crate::ownership::WriteGrant;
use crate::ports::event_store::WriterRole;
use crate::position::Cut;
use crate::store::admission::{RoleKind, check_role, epoch_of, judge_grant};

/// How often an id is taken that another opener takes at the same time.
const ATTEMPTS: u32 = 5;

/// The writers of these logs, each the only one of its log in the role.
pub(super) async fn open(core: &Arc<Core>, logs: &[LogId], role: &WriterRole) -> Result<Vec<LogWriter>, Failure> {
    let refused = Failure::NotApplied;
    check_role(&core.cluster.settings.region, logs, role).map_err(refused)?;
    let grant = if let WriterRole::Owner(grant) = role { Some(grant) } else { None };
    // All of them are judged before the first is touched.
    let mut opened = Vec::with_capacity(logs.len());
    for id in logs {
        let log = core.logs.get(&core.cluster, id).await.map_err(refused)?;
        log.check().map_err(refused)?;
        judge(core, id, grant).await.map_err(refused)?;
        opened.push(log);
    }
    let mut writers = Vec::with_capacity(logs.len());
    for log in opened {
        writers.push(open_one(core, log, role, grant).await?);
    }
    Ok(writers)
}

async fn open_one(
    core: &Arc<Core>,
    log: Arc<Log>,
    role: &WriterRole,
    grant: Option<&WriteGrant>,
) -> Result<LogWriter, Failure> {
    let kind = RoleKind::of(role);
    let producer = take(core, &log.id, kind, grant).await?;
    // The fence may be raised by now; to open again is harmless, whatever stops it here.
    let ready = async {
        core.catch_up(&log, Until::Decided).await?;
        log.index().end()?;
        let mirrors = match kind {
            RoleKind::Mirror => Vec::new(),
            RoleKind::Owner | RoleKind::Companion => core.logs.siblings(&core.cluster, &log.id).await?,
        };
        for mirror in &mirrors {
            core.catch_up(mirror, Until::Decided).await?;
        }
        check_versions(&log)?;
        Ok((mirrors, topics::record_max(&core.cluster, &log.place.topic).await?))
    };
    let (mirrors, record_max) = ready.await.map_err(Failure::NotApplied)?;
    let (core, epoch, session) = (Arc::clone(core), epoch_of(role), Session::new(producer).into());
    Ok(LogWriter { core, log, mirrors, epoch, record_max, session })
}

fn check_versions(log: &Log) -> Result<(), Error> {
    if log.index().is_whole() {
        return Ok(());
    }
    let message = format!(
        "{}: its first records were deleted, and with them the versions of streams that were not written since; write to \
         a topic that still has its first record, or make it anew",
        log.id
    );
    Err(Error::refused("head-gone", message))
}

/// Raises the fence and answers the ends.
pub(super) async fn seal(core: &Arc<Core>, logs: &[LogId], grant: &WriteGrant) -> Result<Cut, Failure> {
    let refused = Failure::NotApplied;
    let mut raises = BTreeMap::new();
    for id in logs {
        raises.insert(id, judge(core, id, Some(grant)).await.map_err(refused)?.is_some());
    }
    let mut cut = Cut::new();
    for (id, raises) in raises {
        // A fence that is there already was raised after its predecessor's writers had been fenced; those
        // of the same epoch go on.
        if raises {
            take(core, id, RoleKind::Owner, Some(grant)).await?;
        }
        let ended = async {
            let log = core.logs.get(&core.cluster, id).await?;
            core.catch_up(&log, Until::Decided).await?;
            log.index().end()
        };
        cut.insert(id.clone(), ended.await.map_err(|error| sealed_without_end(&error))?);
    }
    Ok(cut)
}

fn sealed_without_end(error: &Error) -> Failure {
    Failure::in_doubt("sealed-without-end", format!("the fence is raised, the end is not known: {error}; seal again"))
}

/// The fence to raise, if it must be.
async fn judge(core: &Core, log: &LogId, grant: Option<&WriteGrant>) -> Result<Option<Fence>, Error> {
    let Some(grant) = grant else { return Ok(None) };
    judge_grant(&core.state.fence(&core.cluster, log).await?, log, grant)
}

/// Takes a log's transactional id and raises the fence under it.
async fn take(core: &Core, log: &LogId, kind: RoleKind, grant: Option<&WriteGrant>) -> Result<Producer, Failure> {
    let id = core.cluster.names.transactional_id(log, kind);
    let mut overtaken = None;
    for _ in 0..ATTEMPTS {
        let mut producer = Producer::take(&core.cluster, Arc::clone(&id)).await?;
        let raised = judge(core, log, grant).await.map_err(Failure::NotApplied)?;
        let Some(raised) = raised else { return Ok(producer) };
        let value = fence_value(&raised).map_err(Failure::NotApplied)?;
        match producer.set(&core.cluster, &core.state, &BTreeMap::from([(fence_key(log), value)])).await {
            Ok(()) => return Ok(producer),
            // Another opener came in between. If its fence is not above, it is our turn again.
            Err(Failure::NotApplied(error)) if is_fenced(&error) => overtaken = Some(error),
            Err(failure) => return Err(failure),
        }
    }
    let cause = overtaken.map(|error| error.to_string()).unwrap_or_default();
    let message = format!("{log}: other openers take its writer's id again and again ({cause})");
    Err(Failure::NotApplied(Error::retry("contended-log", message)))
}
