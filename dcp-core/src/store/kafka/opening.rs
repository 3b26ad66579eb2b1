//! Opening a writer and sealing.
//!
//! Whatever can be found out before is found out before: grants and settings, and the log is read as far as it
//! is decided. Whoever then opens or raises a fence takes the log's transactional id: from then on nothing
//! of a predecessor can be committed, and what it left open is aborted. Only then is the fence read for the
//! last time, raised in a transaction of that id together with the number of the new holder, and the log
//! folded to its end. A stale opener is refused by the fence before it takes the id; if it took the id all
//! the same, because the fence rose in between, the holder takes it again ([`Holder`]).
//!
//! # After a death
//!
//! A writer that died may leave a transaction open until its time-out. Before the id is taken nothing that a
//! predecessor in the role has left is waited for: the log is read as far as it is stable, and the fence as far as it
//! is decided, a short while after at most. What is missed so makes an opener disturb the holder and gives it
//! no right. After the id is taken, everything that counts is decided: a log's fence and holders are only
//! written under that log's own ids, and taking one ended its last transaction, markers included. What
//! writers of other logs have left in the same partition of the state topic is told apart by key
//! ([`StateTopic`](super::state_topic)) and holds nobody up, so that logs may be opened in any order. Mirrors, in
//! which ids are looked up, are read to the end that is decided: what their writer has left is ended when the
//! link opens them, which waits for no owner. A seal in the fence's own epoch takes no id, since writers of that
//! epoch go on; it does after a second in which the log's end is not decided.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::cluster::Until;
use super::core::Core;
use super::holder::Holder;
use super::log::Log;
use super::log_writer::{LogWriter, Session};
use super::producer::{Producer, is_cut_off, is_fenced};
use super::state::{fence_key, fence_value};
use super::topics;
use crate::at_most::{AT_ONCE, at_most};
use crate::error::{Error, Failure};
use crate::fence::Fence;
use crate::log::LogId;
use crate::ownership::WriteGrant;
use crate::ports::event_store::WriterRole;
use crate::position::{Cut, LogEnd};
use crate::store::admission::{RoleKind, check_role, epoch_of, judge_grant};

/// How long a transaction of a writer in the fence's own epoch is waited for.
const HANGS: Duration = Duration::from_secs(1);
/// How often an id is taken that another opener takes at the same time.
const ATTEMPTS: u32 = 5;

/// A log that may be opened.
#[derive(Debug)]
struct Ready {
    log: Arc<Log>,
    mirrors: Vec<Arc<Log>>,
    record_max: usize,
}

/// The writers of these logs, each the only one of its log in the role.
pub(super) async fn open(core: &Arc<Core>, logs: &[LogId], role: &WriterRole) -> Result<Vec<LogWriter>, Failure> {
    check_role(&core.cluster.settings.region, logs, role).map_err(Failure::NotApplied)?;
    let grant = if let WriterRole::Owner(grant) = role { Some(grant) } else { None };
    let logs: BTreeSet<_> = logs.iter().collect();
    let getting_ready = logs.into_iter().map(|id| get_ready(core, id, role, grant));
    let ready: Result<Vec<_>, Error> = at_most(AT_ONCE, getting_ready).await.into_iter().collect();
    let opening = ready.map_err(Failure::NotApplied)?.into_iter().map(|ready| open_one(core, ready, role, grant));
    as_one(at_most(AT_ONCE, opening).await)
}

// Nothing is touched.
async fn get_ready(
    core: &Arc<Core>,
    id: &LogId,
    role: &WriterRole,
    grant: Option<&WriteGrant>,
) -> Result<Ready, Error> {
    let log = core.logs.get(&core.cluster, id).await?;
    log.check()?;
    judge_early(core, id, grant).await?;
    let record_max = topics::log_record_max(&core.cluster, &log.place.topic).await?;
    // What a predecessor left open is not waited for: it is ended when its id is taken.
    core.catch_up(&log, Until::Stable).await?;
    log.index().end()?;
    check_versions(&log)?;
    let mirrors = match RoleKind::of(role) {
        RoleKind::Mirror => Vec::new(),
        RoleKind::Owner | RoleKind::Companion => core.logs.siblings(&core.cluster, id).await?,
    };
    for mirror in &mirrors {
        core.catch_up(mirror, Until::Decided).await?;
    }
    Ok(Ready { log, mirrors, record_max })
}

async fn open_one(
    core: &Arc<Core>,
    ready: Ready,
    role: &WriterRole,
    grant: Option<&WriteGrant>,
) -> Result<LogWriter, Failure> {
    let Ready { log, mirrors, record_max } = ready;
    let (producer, holder) = take(core, &log.id, RoleKind::of(role), grant).await?;
    let ended = async {
        core.catch_up(&log, Until::Decided).await?;
        check_versions(&log)
    };
    ended.await.map_err(|error| unfinished(&error))?;
    let (core, epoch, session) = (Arc::clone(core), epoch_of(role), Session::new(producer, holder).into());
    Ok(LogWriter { core, log, mirrors, epoch, record_max, session })
}

fn unfinished(error: &Error) -> Failure {
    Failure::in_doubt(
        "opened-in-part",
        format!("the predecessor may be fenced, no writer is open: {error}; open again"),
    )
}

/// All, or one failure: certain only if nothing was done to any log.
fn as_one<T>(outcomes: Vec<Result<T, Failure>>) -> Result<Vec<T>, Failure> {
    let touched = outcomes.iter().any(|outcome| !matches!(outcome, Err(Failure::NotApplied(_))));
    let done: Result<Vec<T>, Failure> = outcomes.into_iter().collect();
    done.map_err(|failure| match failure {
        Failure::NotApplied(error) if touched => {
            Failure::in_doubt("logs-in-part", format!("some of the logs are done, one is not: {error}; do it again"))
        }
        failure => failure,
    })
}

fn check_versions(log: &Log) -> Result<(), Error> {
    if log.index().is_whole() {
        return Ok(());
    }
    let message = format!(
        "{}: the first records of topic {} were deleted, and with them the versions of streams that were not written \
         since. It is read and no longer written: move the slice to another region, or make the topic anew, and set \
         retention.ms=-1 and retention.bytes=-1 on it before it has data",
        log.id, log.place.topic
    );
    Err(Error::refused("head-gone", message))
}

/// Raises the fence and answers the ends.
pub(super) async fn seal(core: &Arc<Core>, logs: &[LogId], grant: &WriteGrant) -> Result<Cut, Failure> {
    let logs: BTreeSet<_> = logs.iter().collect();
    let judging = logs.into_iter().map(|id| async move {
        let log = core.logs.get(&core.cluster, id).await?;
        let raises = judge_early(core, id, Some(grant)).await?.is_some();
        Ok((log, raises))
    });
    let judged: Result<Vec<_>, Error> = at_most(AT_ONCE, judging).await.into_iter().collect();
    let sealing = judged.map_err(Failure::NotApplied)?.into_iter().map(|(log, raises)| async move {
        let end = seal_one(core, &log, raises, grant).await?;
        Ok((log.id.clone(), end))
    });
    Ok(as_one(at_most(AT_ONCE, sealing).await)?.into_iter().collect())
}

async fn seal_one(core: &Core, log: &Log, raises: bool, grant: &WriteGrant) -> Result<LogEnd, Failure> {
    // A fence that is there already was raised after its predecessor's writers had been fenced; those of
    // the same epoch go on.
    if raises {
        take(core, &log.id, RoleKind::Owner, Some(grant)).await?;
    }
    let ended = async {
        if !raises {
            end_what_hangs(core, log).await?;
        }
        core.catch_up(log, Until::Decided).await?;
        log.index().end()
    };
    ended.await.map_err(|error| sealed_without_end(&error))
}

/// Ends what a writer of the fence's own epoch has left open when it died: its id is taken, and nothing is said
/// with it. One that lives and was only slow loses a transaction, and takes the id again.
async fn end_what_hangs(core: &Core, log: &Log) -> Result<(), Error> {
    let cluster = &core.cluster;
    tokio::select! {
        biased;
        decided = core.catch_up(log, Until::Decided) => return decided,
        () = cluster.clock.sleep(HANGS.min(cluster.settings.deadline / 2)) => {}
    }
    let taken = Producer::take(cluster, cluster.names.transactional_id(&log.id, RoleKind::Owner)).await;
    taken.map(drop).map_err(|failure| Error::retry("not-ended", format!("{}: {failure}", log.id)))
}

fn sealed_without_end(error: &Error) -> Failure {
    Failure::in_doubt("sealed-without-end", format!("the fence is raised, the end is not known: {error}; seal again"))
}

/// The fence to raise, if it must be, as far as it can be told before an id is taken: so that a stale opener
/// disturbs nobody, and no more than that. What its holder has not decided by now is nothing to wait for.
async fn judge_early(core: &Core, log: &LogId, grant: Option<&WriteGrant>) -> Result<Option<Fence>, Error> {
    let Some(grant) = grant else { return Ok(None) };
    judge_grant(&core.state.fence_soon(&core.cluster, log).await?, log, grant)
}

/// The fence to raise, if it must be, judged by whoever holds the id.
async fn judge(core: &Core, log: &LogId, grant: Option<&WriteGrant>) -> Result<Option<Fence>, Error> {
    let Some(grant) = grant else { return Ok(None) };
    judge_grant(&core.state.fence(&core.cluster, log).await?, log, grant)
}

/// Takes a log's transactional id, and raises the fence and says who holds it under the id.
async fn take(
    core: &Core,
    log: &LogId,
    kind: RoleKind,
    grant: Option<&WriteGrant>,
) -> Result<(Producer, Holder), Failure> {
    let id = core.cluster.names.transactional_id(log, kind);
    let holder = Holder::draw(core, log, kind, grant);
    let (mut before, mut in_doubt) = (None, false);
    for _ in 0..ATTEMPTS {
        match try_to_take(core, &id, &holder, in_doubt).await {
            Ok(producer) => return Ok((producer, holder)),
            // Another opener came in between. If its fence is not above, it is our turn again.
            Err(Failure::NotApplied(error)) if is_overtaken(&error) => before = Some(error.to_string()),
            // Nobody else can commit once the id is taken again: then it is seen.
            Err(Failure::InDoubt(doubt)) => (before, in_doubt) = (Some(doubt.to_string()), true),
            Err(Failure::NotApplied(error)) if in_doubt && !is_fenced(&error) => return Err(unfinished(&error)),
            Err(failure) => return Err(failure),
        }
    }
    let message = format!("{log}: its writer's id could not be taken and kept: {}", before.unwrap_or_default());
    let contended = Error::retry("contended-log", message);
    Err(if in_doubt { unfinished(&contended) } else { Failure::NotApplied(contended) })
}

/// Code of a session that another opener cut off.
const OVERTAKEN: &str = "overtaken";

fn is_overtaken(error: &Error) -> bool {
    error.code() == OVERTAKEN
}

async fn try_to_take(core: &Core, id: &Arc<str>, holder: &Holder, in_doubt: bool) -> Result<Producer, Failure> {
    let refused = Failure::NotApplied;
    let (log, grant) = (&holder.log, holder.grant.as_ref());
    judge_early(core, log, grant).await.map_err(refused)?;
    let mut producer = Producer::take(&core.cluster, Arc::clone(id)).await?;
    if in_doubt {
        match holder.check(core, Until::Decided).await {
            Ok(()) => return Ok(producer),
            Err(error) if is_fenced(&error) => {}
            Err(error) => return Err(refused(error)),
        }
    }
    // Nobody else can raise it now.
    let raised = judge(core, log, grant).await.map_err(refused)?;
    let mut values = BTreeMap::from([holder.entry()]);
    if let Some(raised) = raised {
        values.insert(fence_key(log), fence_value(&raised).map_err(refused)?);
    }
    match producer.set(&core.state, &values).await {
        Ok(()) => Ok(producer),
        Err(Failure::NotApplied(error)) if is_cut_off(&error) => {
            Err(refused(Error::retry(OVERTAKEN, error.to_string())))
        }
        Err(failure) => Err(failure),
    }
}

#[cfg(test)]
mod tests;
