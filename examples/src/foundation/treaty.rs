//! The treaty of the two regions: two scopes, each at home in one of them and taken over by the other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dcp_core::Error;
use dcp_core::ids::{KeyId, RegionId, ScopeId, SliceId};
use dcp_core::lease::LeaseTerms;
use dcp_core::signed::{KeySet, Keyring, Role, Signer};
use dcp_core::treaty::{ScopeTerms, TakeoverRule, Treaty};

use crate::orders::Home;

// Two quartz clocks differ by some 100 ppm at worst; 1,000 leaves room for a bad virtual machine.
const RATE_ERROR_PPM: u32 = 1_000;

// Partitions of each slice: 10, 15, 25 and 50 % of 20.
const SLICES: [(&str, std::ops::Range<u32>); 4] = [("s10", 0..2), ("s15", 2..5), ("s25", 5..10), ("s50", 10..20)];

// A client counts an answer within a quarter of the time to live.
pub(crate) fn lease_terms(ttl: Duration) -> Result<LeaseTerms, Error> {
    LeaseTerms::new(ttl, RATE_ERROR_PPM, (ttl / 4).min(Duration::from_secs(2)))
}

pub(crate) fn signer(region: &RegionId, secret: &[u8; 32]) -> Result<Signer, Error> {
    Ok(Signer::new(KeyId::new(format!("{region}.local"))?, secret))
}

fn scope(home: &RegionId, successor: &RegionId) -> Result<ScopeTerms, Error> {
    let slices = SLICES
        .into_iter()
        .map(|(slice, partitions)| Ok((SliceId::new(slice)?, partitions.collect::<BTreeSet<u32>>())))
        .collect::<Result<BTreeMap<_, _>, Error>>()?;
    ScopeTerms::new(home.clone(), vec![successor.clone()], TakeoverRule::Leased, 20, slices)
}

pub(crate) fn treaty(ttl: Duration, signers: &BTreeMap<RegionId, Signer>) -> Result<Treaty, Error> {
    let (west, central) = (Home::West.region_id(), Home::Central.region_id());
    let scopes: BTreeMap<ScopeId, ScopeTerms> =
        [(Home::West.scope_id(), scope(&west, &central)?), (Home::Central.scope_id(), scope(&central, &west)?)].into();
    let public = |signer: &Signer| (signer.id().clone(), signer.public());
    let local = signers
        .iter()
        .map(|(region, signer)| {
            let keys = [public(signer)].into();
            Ok((region.clone(), KeySet::new(format!("{region}/local"), Role::Local, 1, keys)?))
        })
        .collect::<Result<BTreeMap<_, _>, Error>>()?;
    let cross = KeySet::new("cross", Role::Cross, signers.len(), signers.values().map(public).collect())?;
    Treaty::new(1, scopes, lease_terms(ttl)?, Keyring { local, cross })
}
