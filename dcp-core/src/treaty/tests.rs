use super::*;
use crate::ids::KeyId;
use crate::signed::{KeySet, Signer};

fn keys(name: &str, role: Role) -> KeySet {
    let signer = Signer::new(KeyId::new(name).unwrap(), &[7; 32]);
    KeySet::new(name, role, 1, [(signer.id().clone(), signer.public())].into()).unwrap()
}

fn region(name: &str) -> RegionId {
    RegionId::new(name).unwrap()
}

fn treaty(slices: usize, local: Role, cross: Role) -> Result<Treaty, Error> {
    // Two scopes share the slices.
    let scope = |home: &str, successor: &str, slices: usize| {
        let partitions = u32::try_from(slices).unwrap();
        let slice = |partition: u32| (SliceId::new(format!("s{partition}")).unwrap(), BTreeSet::from([partition]));
        let slices = (0..partitions).map(slice).collect();
        ScopeTerms::new(region(home), vec![region(successor)], TakeoverRule::Leased, partitions, slices)
    };
    let scopes = [
        (ScopeId::new("orders").unwrap(), scope("west", "east", slices / 2)?),
        (ScopeId::new("returns").unwrap(), scope("east", "west", slices - slices / 2)?),
    ];
    let local = ["west", "east"].map(|name| (region(name), keys(name, local)));
    let keyring = Keyring { local: local.into(), cross: keys("cross", cross) };
    Treaty::new(1, scopes.into(), LeaseTerms::new(LeaseTerms::TTL, 1_000, Duration::from_secs(2))?, keyring)
}

#[test]
fn it_holds_as_many_slices_as_one_takeover_can_claim() {
    assert_eq!(SLICES_MAX, 64);
    treaty(SLICES_MAX, Role::Local, Role::Cross).unwrap();
    assert_eq!(treaty(SLICES_MAX + 1, Role::Local, Role::Cross).unwrap_err().code(), "too-many-slices");
}

#[test]
fn keys_stand_in_the_place_of_their_role() {
    treaty(2, Role::Local, Role::Cross).unwrap();
    for (local, cross) in [(Role::Cross, Role::Cross), (Role::Local, Role::Local)] {
        assert_eq!(treaty(2, local, cross).unwrap_err().code(), "other-role");
    }
}
