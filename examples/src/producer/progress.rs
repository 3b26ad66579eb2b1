//! How far a producer is.

use std::collections::BTreeMap;

use dcp_core::ids::{RegionId, SliceRef};
use dcp_core::ownership::Epoch;
use serde::{Deserialize, Serialize};

/// The first answer of a region that was counted under an epoch of a slice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct FirstAck {
    /// The slice.
    pub slice: SliceRef,
    /// The epoch of the request.
    pub epoch: Epoch,
    /// The region that answered.
    pub by: RegionId,
    /// When, in nanoseconds of the evidence's clock.
    pub at_ns: u64,
}

/// How far a producer is, over all its runs on one evidence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Progress {
    /// Lines that it has to send.
    pub own_lines: u64,
    /// Lines that are acknowledged, durably noted.
    pub acknowledged: u64,
    /// The highest line number up to which all of its own lines are acknowledged; the number of
    /// the file's last line at the end.
    pub complete_to: u64,
    /// Batches that were noted as in doubt in this run.
    pub in_doubt_batches: u64,
    /// First counted answers, by slice, epoch and region.
    pub first_acks: Vec<FirstAck>,
}

impl Progress {
    /// Whether every line is acknowledged.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.acknowledged == self.own_lines
    }

    /// When the first answer under an epoch of a slice was counted, whoever gave it.
    #[must_use]
    pub fn first_ack(&self, slice: &SliceRef, epoch: Epoch) -> Option<&FirstAck> {
        self.first_acks.iter().filter(|ack| &ack.slice == slice && ack.epoch == epoch).min_by_key(|ack| ack.at_ns)
    }
}

/// First counted answers, as they are found.
#[derive(Debug, Clone, Default)]
pub(super) struct FirstAcks(BTreeMap<(SliceRef, Epoch, RegionId), u64>);

impl FirstAcks {
    /// Takes in one answer; says whether it is the first of its kind or earlier than that.
    pub(super) fn note(&mut self, slice: &SliceRef, epoch: Epoch, by: &RegionId, at_ns: u64) -> bool {
        let first = self.0.entry((slice.clone(), epoch, by.clone())).or_insert(u64::MAX);
        let earlier = at_ns < *first;
        *first = at_ns.min(*first);
        earlier
    }

    pub(super) fn list(&self) -> Vec<FirstAck> {
        let ack = |((slice, epoch, by), at_ns): (&(SliceRef, Epoch, RegionId), &u64)| FirstAck {
            slice: slice.clone(),
            epoch: *epoch,
            by: by.clone(),
            at_ns: *at_ns,
        };
        self.0.iter().map(ack).collect()
    }
}
