// The keys below are constants that keep every rule.
#![allow(clippy::expect_used)]

use std::collections::BTreeMap;

use super::{ResourceGuardFixture, Scene};
use crate::demand;
use crate::fence::FencingToken;
use crate::ids::{KeyId, RegionId};
use crate::ownership::WriteGrant;
use crate::signed::{KeySet, Keyring, Role, Signer};
use crate::testing::Violation;

/// G6: only tokens whose signatures verify raise the fence; a forged high token changes nothing.
///
/// # Errors
/// The violation.
pub async fn g6_forged_tokens_change_nothing<Fx: ResourceGuardFixture>() -> Result<(), Violation> {
    let (fixture, scene) = (Fx::start().await, Scene::set());
    let guard = fixture.guard();
    guard.seal(&scene.west_token(1, 5)).await?;
    let fence = guard.fence().await?;
    for genuine in [scene.east_token(1_000, 1), scene.west_token(1_000, 1)] {
        let forged = forge(&genuine);
        demand!(guard.seal(&forged).await.is_err(), "a forged token sealed the guard");
        demand!(guard.open(forged.grant()).await.is_err(), "a forged grant opened the guard");
        demand!(guard.fence().await? == fence, "a forgery moved the fence to {:?}", guard.fence().await?);
    }
    guard.open(&scene.west(1)).await?;
    guard.admit(&scene.west(1), scene.now)?.not_applied();
    Ok(())
}

/// A keyring with the regions of the fixtures and keys of an attacker, under the genuine names.
///
/// # Panics
/// Never: its names are constants.
#[must_use]
pub fn rogue_keyring() -> Keyring {
    let set = |region: &str| {
        let signer = signer(region);
        KeySet::new(region, Role::Local, 1, BTreeMap::from([(signer.id().clone(), signer.public())])).expect("one key")
    };
    let local = ["west", "east"].map(|region| (RegionId::new(region).expect("a legal name"), set(region)));
    Keyring { local: local.into(), cross: set("cross") }
}

fn signer(region: &str) -> Signer {
    let secret = if region == "west" { 201 } else { 202 };
    Signer::new(KeyId::new(format!("{region}-1")).expect("a legal name"), &[secret; 32])
}

// The same statements, signed by the attacker and vouched for by the attacker's own keyring.
fn forge(genuine: &FencingToken) -> FencingToken {
    let keyring = rogue_keyring();
    let signer = signer(genuine.grant().owner.as_str());
    let grant: WriteGrant = keyring
        .open_by_issuer(&signer.sign(&**genuine.grant()).expect("it was written before"))
        .expect("signed by the attacker");
    let binding = crate::fence::TokenBinding {
        slice: grant.slice.clone(),
        epoch: grant.epoch,
        ownership: grant.digest(),
        term: genuine.term().clone(),
    };
    let binding = keyring.open_by_issuer(&signer.sign(&binding).expect("it was written before"));
    FencingToken::new(grant, binding.expect("signed by the attacker")).expect("bound to this grant")
}
