//! In-memory admission: what is open, and what is in flight. Pure; the guard puts a lock around it.

use std::collections::BTreeMap;

use dcp_core::Error;
use dcp_core::fence::{FenceRank, Judgement};
use dcp_core::ids::{RegionId, SliceRef};
use dcp_core::ownership::{Epoch, WriteGrant};
use dcp_core::ports::Revision;

use super::protected::Reach;
use super::stored::StoredFence;

/// Whether appends pass, and which are under way.
#[derive(Debug)]
pub(crate) struct Gate {
    slice: SliceRef,
    // None until the durable fence was read; with the commit that wrote it, if one has.
    fence: Option<(Option<Revision>, StoredFence)>,
    opening: Opening,
    next_ticket: u64,
    in_flight: BTreeMap<u64, Epoch>,
    dropped: BTreeMap<u64, Epoch>,
}

#[derive(Debug)]
enum Opening {
    Closed(String),
    Open { epoch: Epoch, owner: RegionId },
}

impl Gate {
    /// Closed; its fence not read.
    pub(crate) fn new(slice: SliceRef) -> Self {
        Self {
            slice,
            fence: None,
            opening: Opening::Closed("it was not opened since it started".to_owned()),
            next_ticket: 0,
            in_flight: BTreeMap::new(),
            dropped: BTreeMap::new(),
        }
    }

    /// The commit that wrote the newest fence known here.
    pub(crate) fn known(&self) -> Option<Revision> {
        self.fence.as_ref().and_then(|(revision, _)| *revision)
    }

    /// Takes in the durable fence, unless a newer one is known (reads may overtake each other);
    /// closes if it is past what is open.
    pub(crate) fn learn(&mut self, revision: Option<Revision>, stored: StoredFence) {
        if revision < self.known() {
            return;
        }
        if let Opening::Open { epoch, owner } = &self.opening
            && let Some(highest) = stored.fence.highest()
            && (highest.epoch > *epoch || highest.issuer != *owner || stored.is_contested())
        {
            self.close(format!("it was sealed at {highest}"));
        }
        self.fence = Some((revision, stored));
    }

    pub(crate) fn open(&mut self, grant: &WriteGrant) {
        self.opening = Opening::Open { epoch: grant.epoch, owner: grant.owner.clone() };
    }

    pub(crate) fn close(&mut self, reason: String) {
        self.opening = Opening::Closed(reason);
    }

    /// Closes for everything below `rank`, before the fence is durable: what is refused too early
    /// can be repeated, what is admitted too late cannot be taken back.
    pub(crate) fn close_below(&mut self, rank: &FenceRank) {
        if let Opening::Open { epoch, owner } = &self.opening
            && (*epoch < rank.epoch || *owner != rank.issuer)
        {
            self.close(format!("it is being sealed at {rank}"));
        }
    }

    /// Judges a grant and, if `covered` says that its lease is valid, admits it.
    pub(crate) fn admit(
        &mut self,
        grant: &WriteGrant,
        covered: impl FnOnce() -> Result<(), Error>,
    ) -> Result<u64, Error> {
        if grant.slice != self.slice {
            return Err(Error::invalid("other-slice", format!("{}: the grant is for {}", self.slice, grant.slice)));
        }
        let Some((_, stored)) = &self.fence else { return Err(self.closed()) };
        stored.refuse_contested(&self.slice, grant.epoch)?;
        match stored.fence.judge_append(grant) {
            Judgement::Current if self.is_open_under(grant.epoch) => {}
            Judgement::Current | Judgement::Raises => return Err(self.closed()),
            judgement => {
                let error = stored.refusal(&self.slice, grant, judgement);
                if judgement == Judgement::OtherIssuer {
                    self.close("two regions have presented grants of its epoch".to_owned());
                }
                return Err(error);
            }
        }
        covered()?;
        self.next_ticket += 1;
        self.in_flight.insert(self.next_ticket, grant.epoch);
        Ok(self.next_ticket)
    }

    fn closed(&self) -> Error {
        let reason = match &self.opening {
            Opening::Closed(reason) => reason.as_str(),
            Opening::Open { .. } => "it is open under another grant",
        };
        Error::retry("guard-closed", format!("{}: closed: {reason}", self.slice))
    }

    /// Settles a permit; its epoch, if it was in flight.
    pub(crate) fn settle(&mut self, ticket: u64) -> Option<Epoch> {
        self.in_flight.remove(&ticket)
    }

    /// A permit was dropped without an outcome.
    pub(crate) fn drop_permit(&mut self, ticket: u64) {
        if let Some(epoch) = self.in_flight.remove(&ticket) {
            self.dropped.insert(ticket, epoch);
        }
    }

    /// How far a seal at `epoch` must reach. While appends under that very epoch pass (its region
    /// has only elected another leader), they are not below the seal; closed, all are waited for,
    /// so that the ends are final.
    pub(crate) fn reach(&self, epoch: Epoch) -> Reach {
        if self.is_open_under(epoch) { Reach::BelowEpoch } else { Reach::ThroughEpoch }
    }

    fn is_open_under(&self, epoch: Epoch) -> bool {
        matches!(self.opening, Opening::Open { epoch: open, .. } if open == epoch)
    }

    /// Permits that a seal at `epoch` still waits for.
    pub(crate) fn awaited(&self, epoch: Epoch, reach: Reach) -> usize {
        self.in_flight.values().filter(|admitted| within(**admitted, epoch, reach)).count()
    }

    /// Whether permits of the seal's own epoch were dropped, which raising the resource's fence to
    /// that epoch does not stop.
    pub(crate) fn dropped_at(&self, epoch: Epoch) -> bool {
        self.dropped.values().any(|dropped| *dropped == epoch)
    }

    /// The resource has shown that nothing dropped within the seal's reach can land any more.
    pub(crate) fn forget_dropped(&mut self, epoch: Epoch, reach: Reach) {
        self.dropped.retain(|_, dropped| !within(*dropped, epoch, reach));
    }
}

fn within(admitted: Epoch, epoch: Epoch, reach: Reach) -> bool {
    match reach {
        Reach::BelowEpoch => admitted < epoch,
        Reach::ThroughEpoch => admitted <= epoch,
    }
}
