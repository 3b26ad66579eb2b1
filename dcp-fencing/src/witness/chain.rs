//! Ownership chains: verified link by link, and searched for a claim. Pure.

use dcp_core::Error;
use dcp_core::ids::SliceRef;
use dcp_core::ownership::{Claim, WriteGrant, judge_succession};
use dcp_core::treaty::Treaty;

/// Checks that `chain`, oldest first, is a lawful chain of `slice`: each record follows the one
/// before it, by digest.
///
/// # Errors
/// `Corrupt` with the first record that does not follow: stop and keep the evidence.
pub fn verify_chain(treaty: &Treaty, slice: &SliceRef, chain: &[WriteGrant]) -> Result<(), Error> {
    let mut head = None;
    for next in chain {
        if next.slice != *slice {
            return Err(Error::corrupt("broken-chain", format!("{slice}: holds a record of {}", next.slice)));
        }
        judge_succession(treaty, head, next).map_err(|cause| {
            Error::corrupt("broken-chain", format!("{slice}: epoch {} does not follow: {cause}", next.epoch))
        })?;
        head = Some(next);
    }
    Ok(())
}

/// The record that this very claim made: run, plan and nonce must all be equal. A probe that
/// compares less takes another attempt's ownership for its own.
#[must_use]
pub fn find_claim<'a>(chain: &'a [WriteGrant], claim: &Claim) -> Option<&'a WriteGrant> {
    chain.iter().find(|record| record.claim.as_ref() == Some(claim))
}
