//! What a region holds and until when. Pure: answers and moments in, validity out.

use std::collections::BTreeMap;

use dcp_core::Error;
use dcp_core::clock::Moment;
use dcp_core::ids::SliceRef;
use dcp_core::ownership::{Epoch, WriteGrant};

/// Slices of one region, each with its grant and, once a renewal was answered, its validity.
#[derive(Debug, Default)]
pub(crate) struct Holdings(BTreeMap<SliceRef, Holding>);

#[derive(Debug)]
struct Holding {
    grant: WriteGrant,
    valid_until: Option<Moment>,
}

impl Holdings {
    /// Adds a grant, not valid yet. An older grant never replaces a newer one; the same one keeps
    /// its validity.
    pub(crate) fn adopt(&mut self, grant: WriteGrant) {
        let known = self.0.get(&grant.slice).map_or(Epoch::NONE, |held| held.grant.epoch);
        if grant.epoch > known {
            self.0.insert(grant.slice.clone(), Holding { grant, valid_until: None });
        }
    }

    /// Drops a slice, whatever its epoch.
    pub(crate) fn release(&mut self, slice: &SliceRef) {
        self.0.remove(slice);
    }

    /// Drops a slice unless a newer grant was adopted meanwhile.
    pub(crate) fn lost(&mut self, slice: &SliceRef, epoch: Epoch) {
        if self.0.get(slice).is_some_and(|held| held.grant.epoch == epoch) {
            self.0.remove(slice);
        }
    }

    /// Takes the validity of a slice away until a renewal is answered again.
    pub(crate) fn suspend(&mut self, slice: &SliceRef) {
        if let Some(held) = self.0.get_mut(slice) {
            held.valid_until = None;
        }
    }

    /// A renewal of these slices, at these epochs, was answered. Validity never moves back.
    pub(crate) fn renewed(&mut self, slices: &BTreeMap<SliceRef, Epoch>, until: Moment) {
        for (slice, epoch) in slices {
            if let Some(held) = self.0.get_mut(slice).filter(|held| held.grant.epoch == *epoch) {
                held.valid_until = held.valid_until.max(Some(until));
            }
        }
    }

    /// What the next renewal names.
    pub(crate) fn epochs(&self) -> BTreeMap<SliceRef, Epoch> {
        self.0.iter().map(|(slice, held)| (slice.clone(), held.grant.epoch)).collect()
    }

    /// Grants that are valid at `now`.
    pub(crate) fn valid(&self, now: Moment) -> BTreeMap<SliceRef, WriteGrant> {
        let valid = self.0.iter().filter(|(_, held)| held.valid_until.is_some_and(|until| now < until));
        valid.map(|(slice, held)| (slice.clone(), held.grant.clone())).collect()
    }

    /// When the first of the valid ones runs out.
    pub(crate) fn first_end(&self, now: Moment) -> Option<Moment> {
        self.0.values().filter_map(|held| held.valid_until).filter(|until| now < *until).min()
    }

    /// Until when the lease on a slice is valid for an epoch.
    pub(crate) fn check(&self, slice: &SliceRef, epoch: Epoch, now: Moment) -> Result<Moment, Error> {
        let held = self.0.get(slice).filter(|held| held.grant.epoch == epoch);
        match held.and_then(|held| held.valid_until) {
            Some(until) if now < until => Ok(until),
            Some(_) => Err(refusal(slice, epoch, "ran out; no renewal was answered in time")),
            None => Err(refusal(slice, epoch, "is not held: no renewal of it was answered")),
        }
    }
}

fn refusal(slice: &SliceRef, epoch: Epoch, why: &str) -> Error {
    Error::fenced("lease-run-out", format!("{slice}: the ownership lease for epoch {epoch} {why}"))
}
