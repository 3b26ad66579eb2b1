//! What the witness lets pass. Pure: what was read goes in, the next write comes out.

use std::collections::BTreeMap;

use dcp_core::Error;
use dcp_core::ids::{RegionId, SliceRef};
use dcp_core::ownership::{Evidence, WriteGrant, judge_succession};
use dcp_core::ports::{LeaseReading, LeaseRenewal, Revision};
use dcp_core::treaty::Treaty;

use super::continuity::judge_continuity;

/// Judges a renewal against the lease and the heads as read; answers the new sequence.
///
/// # Errors
/// `Fenced` for a slice that the region does not own at that epoch; else as [`judge_continuity`].
pub(crate) fn judge_renewal(
    previous: Option<&LeaseReading>,
    renewal: &LeaseRenewal,
    heads: &BTreeMap<SliceRef, (Revision, WriteGrant)>,
) -> Result<u64, Error> {
    for (slice, epoch) in &renewal.slices {
        match heads.get(slice).map(|(_, head)| head) {
            Some(head) if head.owner == renewal.region && head.epoch == *epoch => {}
            Some(head) => {
                return Err(Error::fenced(
                    "not-owner",
                    format!(
                        "{slice}: {} renews epoch {epoch}, but {} owns it at epoch {}",
                        renewal.region, head.owner, head.epoch
                    ),
                ));
            }
            None => return Err(Error::fenced("not-owner", format!("{slice}: has no first record at the witness"))),
        }
    }
    let Some(previous) = previous else { return Ok(1) };
    judge_continuity(previous, renewal)?;
    Ok(previous.sequence + 1)
}

/// Records of a claim that are not yet the heads of their chains.
///
/// # Errors
/// `Conflict` if a chain has moved; `Refused` if a record may not follow its head, or rests on a
/// lease that the claim is not conditional on.
pub(crate) fn judge_claim<'a>(
    treaty: &Treaty,
    records: &'a [WriteGrant],
    heads: &BTreeMap<SliceRef, WriteGrant>,
    lease: Option<(&RegionId, u64)>,
) -> Result<Vec<&'a WriteGrant>, Error> {
    let mut appended = Vec::new();
    for record in records {
        let head = heads.get(&record.slice);
        if head.is_some_and(|head| same_claim(head, record)) {
            continue;
        }
        judge_succession(treaty, head, record)?;
        judge_lease(head, record, lease)?;
        appended.push(record);
    }
    Ok(appended)
}

// A genesis has no claim, so it is recognised by its bytes.
fn same_claim(head: &WriteGrant, record: &WriteGrant) -> bool {
    head.epoch == record.epoch
        && head.owner == record.owner
        && match &record.claim {
            Some(claim) => head.claim.as_ref() == Some(claim),
            None => head.digest() == record.digest(),
        }
}

fn judge_lease(head: Option<&WriteGrant>, record: &WriteGrant, lease: Option<(&RegionId, u64)>) -> Result<(), Error> {
    let Evidence::LeaseRunOut { lease_revision, .. } = &record.evidence else { return Ok(()) };
    let covered = lease.is_some_and(|(region, revision)| {
        revision == *lease_revision && head.is_some_and(|head| head.owner == *region)
    });
    if covered {
        return Ok(());
    }
    Err(Error::refused(
        "lease-not-named",
        format!(
            "{}: its evidence is a lease that ran out at revision {lease_revision}; the claim must be conditional on that lease of the present owner",
            record.slice
        ),
    ))
}
