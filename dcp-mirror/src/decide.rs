//! What a link may copy now, from what is stored and what was observed. Pure.

use std::collections::BTreeMap;
use std::fmt;

use dcp_core::log::LogId;
use dcp_core::ports::LinkState;
use dcp_core::position::{LogEnd, LogIncarnation, PrefixDigest};
use serde::{Deserialize, Serialize};

use crate::state_machine::StoredState;

/// Why a log must not be copied any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Breach {
    /// The source's log was re-created, restored or truncated.
    OtherIncarnation,
    /// The source holds fewer records than the mirror.
    Shorter,
    /// The source's records are not the mirror's.
    OtherPrefix,
    /// The source contradicts itself.
    Corrupt,
}

/// Where source and mirror part, with both prefixes: kept, never overwritten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Divergence {
    pub(crate) log: LogId,
    pub(crate) breach: Breach,
    /// The source's prefix at the mirror's count where it has one, else up to its end.
    pub(crate) source: PrefixDigest,
    /// The mirror's prefix.
    pub(crate) mirror: PrefixDigest,
    /// Incarnations, or what the source said.
    pub(crate) detail: String,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let breach = match self.breach {
            Breach::OtherIncarnation => "the source's log is of another incarnation",
            Breach::Shorter => "the source is shorter than the mirror",
            Breach::OtherPrefix => "the source holds other records than the mirror",
            Breach::Corrupt => "the source contradicts itself",
        };
        let Self { log, source, mirror, detail, .. } = self;
        write!(
            f,
            "{log}: {breach}: source {} records, digest {}; mirror {} records, digest {}{detail}",
            source.count, source.digest, mirror.count, mirror.digest
        )
    }
}

/// What is known of the source's prefix at the mirror's count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shared {
    /// Not compared since the link connected or was set going.
    Unchecked,
    /// Compared before, and the same incarnation since.
    Checked,
    /// What the source answers; none if it is shorter.
    Answered(Option<PrefixDigest>),
}

/// One log as observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogView {
    /// Where the source's log ends.
    pub(crate) source: LogEnd,
    /// The mirror's prefix.
    pub(crate) applied: PrefixDigest,
    /// The incarnation of the last copied record, where the link's cursor tells it.
    pub(crate) copied_from: Option<LogIncarnation>,
    /// The source's prefix at the mirror's count.
    pub(crate) shared: Shared,
}

impl LogView {
    /// Whether the source must be asked for its prefix at the mirror's count before copying: the
    /// ends alone tell it where the counts are equal.
    pub(crate) fn needs_prefix(&self) -> bool {
        self.shared == Shared::Unchecked && self.applied.count > 0 && self.applied.count < self.source.prefix.count
    }

    /// Whether nothing observed contradicts that the mirror is a prefix of this source's log.
    pub(crate) fn agrees(&self) -> bool {
        self.breach().is_none()
    }

    fn breach(&self) -> Option<(Breach, PrefixDigest, String)> {
        let Self { source, applied, copied_from, shared } = self;
        if applied.count == 0 {
            return None;
        }
        if let Some(before) = copied_from.filter(|before| *before != source.incarnation) {
            let detail = format!("; incarnation {before} before, {} now", source.incarnation);
            return Some((Breach::OtherIncarnation, source.prefix, detail));
        }
        if source.prefix.count < applied.count || *shared == Shared::Answered(None) {
            return Some((Breach::Shorter, source.prefix, String::new()));
        }
        let at_count = match shared {
            _ if source.prefix.count == applied.count => Some(source.prefix),
            Shared::Answered(prefix) => *prefix,
            Shared::Unchecked | Shared::Checked => None,
        };
        at_count.filter(|prefix| prefix != applied).map(|prefix| (Breach::OtherPrefix, prefix, String::new()))
    }
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Copy nothing.
    Rest,
    /// Copy, per log up to this count; only logs that lag are named.
    Copy(BTreeMap<LogId, u64>),
    /// Stop, durably.
    Fail(Divergence),
}

/// Decides. A log that still needs its prefix compared is not copied.
pub(crate) fn decide(stored: &StoredState, observed: &BTreeMap<LogId, LogView>) -> Decision {
    let state = stored.effective();
    if !matches!(state, LinkState::Active | LinkState::ReadOnlyStaging) {
        return Decision::Rest;
    }
    let until = stored.desire.until.as_ref().filter(|_| state == LinkState::ReadOnlyStaging);
    let mut upto = BTreeMap::new();
    for (log, view) in observed {
        if let Some((breach, source, detail)) = view.breach() {
            let (log, mirror) = (log.clone(), view.applied);
            return Decision::Fail(Divergence { log, breach, source, mirror, detail });
        }
        let bound = match until {
            None => view.source.prefix.count,
            Some(cut) => match cut.get(log) {
                Some(end) => match judge_named_end(log, view, end) {
                    Ok(bound) => bound,
                    Err(divergence) => return Decision::Fail(*divergence),
                },
                None => view.applied.count,
            },
        };
        if bound > view.applied.count && !view.needs_prefix() {
            upto.insert(log.clone(), bound);
        }
    }
    if upto.is_empty() { Decision::Rest } else { Decision::Copy(upto) }
}

/// The count up to which a named end lets a log be copied.
fn judge_named_end(log: &LogId, view: &LogView, end: &LogEnd) -> Result<u64, Box<Divergence>> {
    let diverged = |breach, detail| {
        let (log, source, mirror) = (log.clone(), end.prefix, view.applied);
        Err(Box::new(Divergence { log, breach, source, mirror, detail }))
    };
    let written = end.prefix.count > 0 && view.source.prefix.count > 0;
    if written && end.incarnation != view.source.incarnation {
        let detail = format!("; incarnation {} named, {} found", end.incarnation, view.source.incarnation);
        return diverged(Breach::OtherIncarnation, detail);
    }
    if view.applied.count == end.prefix.count && view.applied != end.prefix {
        return diverged(Breach::OtherPrefix, "; at the named end".to_owned());
    }
    if view.source.prefix.count < end.prefix.count {
        return diverged(
            Breach::Shorter,
            format!("; it ends at {}, before the end it named", view.source.prefix.count),
        );
    }
    Ok(end.prefix.count)
}

/// Divides what the throttle allows among the lagging logs: companions first and unthrottled, then
/// the users' logs from `turn` on, each its even share and at most one batch. Pure.
pub(crate) fn share_out(
    lag: &BTreeMap<LogId, u64>,
    batch: u64,
    allowance: Option<u64>,
    turn: usize,
) -> Vec<(LogId, u64)> {
    let (companions, users): (Vec<_>, Vec<_>) = lag.iter().partition(|(log, _)| log.is_companion());
    let mut shares: Vec<_> = companions.into_iter().map(|(log, lag)| (log.clone(), batch.min(*lag))).collect();
    let count = users.len();
    let mut left = allowance.unwrap_or(u64::MAX);
    for (index, (log, lag)) in users.iter().cycle().skip(turn.checked_rem(count).unwrap_or(0)).take(count).enumerate() {
        let even = left.div_ceil((count - index) as u64);
        let share = even.min(batch).min(**lag);
        left -= share;
        if share > 0 {
            shares.push(((*log).clone(), share));
        }
    }
    shares
}

#[cfg(test)]
mod tests;
