//! Who may write which logs, and where a reader begins. Pure: every store decides with these.

use crate::error::Error;
use crate::fence::{Fence, FenceRank, Judgement};
use crate::ids::RegionId;
use crate::log::LogId;
use crate::ownership::{Epoch, WriteGrant};
use crate::ports::event_store::{ReadFrom, WriterRole};
use crate::position::LogEnd;

/// A role without its grant or link: each log has one current writer per kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RoleKind {
    /// Of the owner.
    Owner,
    /// Of a link.
    Mirror,
    /// Of the region itself, for companion logs.
    Companion,
}

impl RoleKind {
    pub(crate) fn of(role: &WriterRole) -> Self {
        match role {
            WriterRole::Owner(_) => Self::Owner,
            WriterRole::Mirror(_) => Self::Mirror,
            WriterRole::Companion => Self::Companion,
        }
    }

    /// What it is called in the names of things.
    #[cfg(feature = "kafka")]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Mirror => "mirror",
            Self::Companion => "companion",
        }
    }
}

/// The epoch that a role's events carry.
pub(crate) fn epoch_of(role: &WriterRole) -> Epoch {
    match role {
        WriterRole::Owner(grant) => grant.epoch,
        WriterRole::Mirror(_) | WriterRole::Companion => Epoch::NONE,
    }
}

/// Whether a region's store may open a writer on these logs in this role.
///
/// # Errors
/// `Refused` with the log and the rule.
pub(crate) fn check_role(region: &RegionId, logs: &[LogId], role: &WriterRole) -> Result<(), Error> {
    for log in logs {
        let own = log.origin() == region;
        let broken = match role {
            WriterRole::Owner(grant) => owner_rule(own, log, grant),
            WriterRole::Mirror(_) => own.then(|| "a link never appends to a log of its own region".to_owned()),
            WriterRole::Companion => (!own || !log.is_companion())
                .then(|| "a companion writer appends to companion logs of its own region".to_owned()),
        };
        if let Some(rule) = broken {
            return Err(Error::refused("role-may-not-write", format!("{log} in {region}: {rule}")));
        }
    }
    Ok(())
}

fn owner_rule(own: bool, log: &LogId, grant: &WriteGrant) -> Option<String> {
    if !own || log.origin() != &grant.owner {
        return Some(format!("only its origin appends to a log; the grant is {}'s", grant.owner));
    }
    (log.scope() != &grant.slice.scope).then(|| format!("the grant is for {}", grant.slice))
}

/// The rank that a grant raises a log's fence to. Elections do not count here: revision 0.
pub(crate) fn grant_rank(grant: &WriteGrant) -> FenceRank {
    FenceRank { epoch: grant.epoch, issuer: grant.owner.clone(), revision: 0 }
}

/// The fence that must be durable before anything is done under the grant; none if it is already.
///
/// # Errors
/// `Fenced` below the fence, or for another issuer in its epoch.
pub(crate) fn judge_grant(fence: &Fence, log: &LogId, grant: &WriteGrant) -> Result<Option<Fence>, Error> {
    let rank = grant_rank(grant);
    let judgement = fence.judge_append(grant);
    match fence.refusal(log, &rank, judgement) {
        Some(error) => Err(error),
        None => Ok((judgement == Judgement::Raises).then(|| fence.raised(&rank))),
    }
}

/// How many records a reader skips.
///
/// # Errors
/// `Corrupt` for a position of another incarnation or past the end.
pub(crate) fn records_before(log: &LogId, end: &LogEnd, from: ReadFrom) -> Result<u64, Error> {
    let ReadFrom::After(position) = from else { return Ok(0) };
    if position.incarnation() != end.incarnation {
        return Err(Error::corrupt(
            "other-incarnation",
            format!(
                "{log}: position {position} is of another incarnation than {}; the log was re-created",
                end.incarnation
            ),
        ));
    }
    if position.rank() > end.prefix.count {
        return Err(Error::corrupt(
            "past-the-end",
            format!("{log}: position {position} is past the end, {} records; the log was truncated", end.prefix.count),
        ));
    }
    Ok(position.rank())
}
