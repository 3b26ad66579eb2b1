//! What a witness over a state store promises, as clauses.

use std::collections::BTreeMap;
use std::sync::Arc;

use dcp_core::demand;
use dcp_core::digest::Digest;
use dcp_core::ids::{RegionId, RunId, SliceRef};
use dcp_core::log::LogId;
use dcp_core::ownership::{Claim, Epoch, Evidence, Ownership, WriteGrant};
use dcp_core::ports::{Kept, Key, LeaseRenewal, Shown, StateStore, StoreIdentity, Transaction, Witness};
use dcp_core::position::{Cut, LogIncarnation, PrefixDigest};
use dcp_core::testing::fixtures::{TwoRegions, east, orders, slice_a, slice_b, west};
use dcp_core::testing::{Clause, Violation};
use dcp_core::treaty::Treaty;
use dcp_core::{Error, ErrorKind, Failure};

use crate::doubtful::DoubtfulStore;

/// A witness under test.
pub(crate) trait Witnesses: 'static {
    /// Over a store that may hold something already.
    fn over(store: Arc<dyn StateStore>, treaty: Arc<Treaty>) -> Arc<dyn Witness>;
}

/// The clauses, bound to an implementation.
pub(crate) fn table<W: Witnesses>() -> Vec<Clause> {
    macro_rules! rows {
        ($($id:literal $demands:literal $run:ident)*) => {
            vec![$(Clause { id: $id, demands: $demands, run: || Box::pin($run::<W>()) }),*]
        };
    }
    rows! {
        "W1" "of two claims of one epoch, one wins" w1_of_two_claims_of_one_epoch_one_wins
        "W2" "a claim of several slices is whole or not at all" w2_a_claim_is_whole_or_not_at_all
        "W3" "a claim on a lease that was renewed meanwhile fails" w3_a_claim_fails_if_a_renewal_slipped_in
        "W4" "a claim whose answer was lost is recognised by run, plan and nonce" w4_an_unknown_outcome_is_resolved_by_the_claim
        "W5" "a renewal after a takeover is fenced and writes nothing" w5_renewal_after_a_takeover_is_fenced
        "W6" "an event store that is another one, or has made fewer commits, is refused" w6_a_store_that_went_back_is_refused
        "W7" "records that the treaty does not allow are refused" w7_unlawful_records_are_refused
        "W8" "a chain that does not verify is not answered" w8_chains_are_verified_on_read
        "W9" "an event store that cannot show what it kept is refused for good" w9_an_event_store_shows_what_it_kept
        "W10" "a state store that cannot show its mark is refused for good" w10_a_state_store_shows_its_mark
        "W11" "evidence that the takeover rule does not allow moves nothing" w11_evidence_is_the_takeover_rules
    }
}

// Longer than the treaty's challenger waits.
const WAITED: u64 = 10_000_000_000;

struct Scene {
    world: TwoRegions,
    store: Arc<DoubtfulStore>,
    witness: Arc<dyn Witness>,
    a: SliceRef,
    b: SliceRef,
}

impl Scene {
    // Genesis of both slices is claimed.
    async fn set<W: Witnesses>() -> Result<Self, Violation> {
        let (world, store) = (TwoRegions::new(), DoubtfulStore::new());
        let treaty = Arc::new((**world.treaty()).clone());
        let witness = W::over(Arc::<DoubtfulStore>::clone(&store), treaty);
        let (a, b) = (slice_a(&orders()), slice_b(&orders()));
        witness.claim(&[world.genesis(&a), world.genesis(&b)], None).await?;
        Ok(Self { world, store, witness, a, b })
    }

    fn claim(run: &str, nonce: u8) -> Claim {
        Claim { run: RunId::new(run).unwrap(), plan: Digest::of(b"plan"), nonce: Digest::from_bytes([nonce; 32]) }
    }

    fn takeover(&self, slice: &SliceRef, by: RegionId, claim: Claim, evidence: Evidence) -> WriteGrant {
        self.world.sign(&Ownership::succeed(&self.world.genesis(slice), by, claim, evidence))
    }

    fn sealed(&self, slice: &SliceRef, by: RegionId, nonce: u8) -> WriteGrant {
        let evidence = self.world.sealed(&self.world.genesis(slice));
        self.takeover(slice, by, Self::claim("run", nonce), evidence)
    }

    fn renewal(&self, commit: u64) -> LeaseRenewal {
        let slices = BTreeMap::from([(self.a.clone(), Epoch::GENESIS), (self.b.clone(), Epoch::GENESIS)]);
        LeaseRenewal::new(west(), slices, identity(1, commit))
    }

    async fn epoch(&self, slice: &SliceRef) -> Result<u64, Violation> {
        let head = self.witness.ownership(slice).await?;
        Ok(head.map_or(0, |head| head.epoch.get()))
    }
}

fn identity(store: u8, commit: u64) -> StoreIdentity {
    StoreIdentity { incarnation: LogIncarnation::from_bytes([store; 16]), commit_sequence: commit }
}

fn kind(outcome: Result<(), Failure>) -> Option<ErrorKind> {
    outcome.err().and_then(|failure| failure.not_applied().map(Error::kind))
}

/// W1: also when both were decided from the same head.
pub(crate) async fn w1_of_two_claims_of_one_epoch_one_wins<W: Witnesses>() -> Result<(), Violation> {
    let scene = Scene::set::<W>().await?;
    let (east_claims, west_claims) = (scene.sealed(&scene.a, east(), 1), scene.sealed(&scene.a, west(), 2));
    let (first, second) = tokio::join!(
        scene.witness.claim(std::slice::from_ref(&east_claims), None),
        scene.witness.claim(std::slice::from_ref(&west_claims), None)
    );
    let won = usize::from(first.is_ok()) + usize::from(second.is_ok());
    demand!(won == 1, "{won} of two claims of one epoch won: {first:?}, {second:?}");
    let lost = kind(if first.is_ok() { second } else { first });
    demand!(lost == Some(ErrorKind::Conflict), "the claim that lost was answered with {lost:?}");
    Ok(())
}

/// W2.
pub(crate) async fn w2_a_claim_is_whole_or_not_at_all<W: Witnesses>() -> Result<(), Violation> {
    let scene = Scene::set::<W>().await?;
    scene.witness.claim(&[scene.sealed(&scene.b, west(), 1)], None).await?;
    let both = [scene.sealed(&scene.a, east(), 2), scene.sealed(&scene.b, east(), 3)];
    let outcome = kind(scene.witness.claim(&both, None).await);
    demand!(outcome == Some(ErrorKind::Conflict), "a claim of a chain that has moved was answered with {outcome:?}");
    demand!(scene.epoch(&scene.a).await? == 1, "half of a refused claim was written");
    Ok(())
}

/// W3: and the claim on the lease as it stands succeeds.
pub(crate) async fn w3_a_claim_fails_if_a_renewal_slipped_in<W: Witnesses>() -> Result<(), Violation> {
    let scene = Scene::set::<W>().await?;
    let seen = scene.witness.renew(&scene.renewal(1)).await?;
    let renewed = scene.witness.renew(&scene.renewal(2)).await?;
    demand!(renewed.sequence == seen.sequence + 1, "the sequence went from {} to {}", seen.sequence, renewed.sequence);
    for (lease, conflict) in [(seen.revision, true), (renewed.revision, false)] {
        let evidence = Evidence::LeaseRunOut {
            lease_revision: lease,
            last_sequence: seen.sequence,
            waited_nanos: WAITED,
            mirrored_ends: Cut::new(),
        };
        let record = scene.takeover(&scene.a, east(), Scene::claim("run", 1), evidence);
        let outcome = kind(scene.witness.claim(&[record], Some((&west(), lease))).await);
        let expected = conflict.then_some(ErrorKind::Conflict);
        demand!(outcome == expected, "a claim on lease revision {lease} was answered with {outcome:?}");
    }
    Ok(())
}

/// W4: repeated, the claim has no further effect; another attempt of the same run is not it.
pub(crate) async fn w4_an_unknown_outcome_is_resolved_by_the_claim<W: Witnesses>() -> Result<(), Violation> {
    let scene = Scene::set::<W>().await?;
    let record = scene.sealed(&scene.a, east(), 1);
    scene.store.lose_answers(1);
    let doubt = scene.witness.claim(std::slice::from_ref(&record), None).await;
    demand!(matches!(doubt, Err(Failure::InDoubt(_))), "a lost answer was reported as {doubt:?}");
    let head = scene.witness.ownership(&scene.a).await?;
    demand!(head.as_ref().map(|head| &head.claim) == Some(&record.claim), "the claim is not in the chain: {head:?}");
    scene.witness.claim(std::slice::from_ref(&record), None).await?;
    demand!(scene.epoch(&scene.a).await? == 2, "a repeated claim raised the epoch again");
    let other_attempt = scene.sealed(&scene.a, east(), 9);
    let outcome = kind(scene.witness.claim(&[other_attempt], None).await);
    demand!(outcome == Some(ErrorKind::Conflict), "another attempt's claim was taken for this one: {outcome:?}");
    Ok(())
}

/// W5: for all of the region's slices at once; what it still owns it renews by itself.
pub(crate) async fn w5_renewal_after_a_takeover_is_fenced<W: Witnesses>() -> Result<(), Violation> {
    let scene = Scene::set::<W>().await?;
    let before = scene.witness.renew(&scene.renewal(1)).await?;
    scene.witness.claim(&[scene.sealed(&scene.a, east(), 1)], None).await?;
    let outcome = kind(scene.witness.renew(&scene.renewal(2)).await.map(|_| ()));
    demand!(outcome == Some(ErrorKind::Fenced), "a renewal after the takeover was answered with {outcome:?}");
    let after = scene.witness.lease(&west()).await?;
    demand!(after.as_ref() == Some(&before), "a fenced renewal wrote {after:?}");
    let kept = BTreeMap::from([(scene.b.clone(), Epoch::GENESIS)]);
    scene.witness.renew(&LeaseRenewal::new(west(), kept, identity(1, 3))).await?;
    Ok(())
}

/// W6.
pub(crate) async fn w6_a_store_that_went_back_is_refused<W: Witnesses>() -> Result<(), Violation> {
    let scene = Scene::set::<W>().await?;
    scene.witness.renew(&scene.renewal(7)).await?;
    for (store, commit, refused) in [(1, 6, true), (2, 8, true), (1, 7, false), (1, 8, false)] {
        let renewal = LeaseRenewal::new(west(), scene.renewal(0).slices, identity(store, commit));
        let outcome = scene.witness.renew(&renewal).await;
        let code = outcome.as_ref().err().map(Failure::code);
        let expected = refused.then_some("store-went-back");
        demand!(code == expected, "store {store} at commit {commit} was answered with {outcome:?}");
    }
    Ok(())
}

/// W7: no evidence, a lease that is not named, an owner or first record that the treaty does not
/// allow.
pub(crate) async fn w7_unlawful_records_are_refused<W: Witnesses>() -> Result<(), Violation> {
    let scene = Scene::set::<W>().await?;
    let lease = scene.witness.renew(&scene.renewal(1)).await?;
    let run_out = |revision| Evidence::LeaseRunOut {
        lease_revision: revision,
        last_sequence: 1,
        waited_nanos: WAITED,
        mirrored_ends: Cut::new(),
    };
    let without = scene.takeover(&scene.a, east(), Scene::claim("run", 1), Evidence::Genesis);
    let another = scene.takeover(&scene.a, east(), Scene::claim("run", 1), run_out(lease.revision + 1));
    let lawful = scene.takeover(&scene.a, east(), Scene::claim("run", 1), run_out(lease.revision));
    let outcomes = [
        kind(scene.witness.claim(&[without], None).await),
        kind(scene.witness.claim(&[another], Some((&west(), lease.revision))).await),
        kind(scene.witness.claim(std::slice::from_ref(&lawful), None).await),
        kind(scene.witness.claim(std::slice::from_ref(&lawful), Some((&east(), lease.revision))).await),
    ];
    let refused = outcomes.iter().all(|kind| *kind == Some(ErrorKind::Refused));
    demand!(refused, "unlawful records were answered with {outcomes:?}");
    demand!(scene.epoch(&scene.a).await? == 1, "an unlawful record was written");
    Ok(())
}

/// W8: a head that was put there without its chain.
pub(crate) async fn w8_chains_are_verified_on_read<W: Witnesses>() -> Result<(), Violation> {
    let scene = Scene::set::<W>().await?;
    let grant = scene.world.grant(&scene.a, &east(), 3);
    let value = serde_json::to_vec(grant.envelope()).unwrap();
    let key = Key::new(format!("ownership/{}/{}/head", scene.a.scope, scene.a.slice))?;
    scene.store.commit(Transaction::new().put(key, value)).await?;
    let head = scene.witness.ownership(&scene.a).await;
    let corrupt = head.as_ref().err().map(Error::kind) == Some(ErrorKind::Corrupt);
    demand!(corrupt, "a head without its chain was answered: {head:?}");
    Ok(())
}

fn prefix(count: u64, life: u8) -> PrefixDigest {
    PrefixDigest { count, digest: Digest::from_bytes([life; 32]) }
}

fn companion() -> LogId {
    LogId::heartbeats(&orders(), &west()).unwrap()
}

impl Scene {
    // Commits of the renewal, the prefix of the companion log that is kept, and what is shown.
    fn showing(
        &self,
        commit: u64,
        kept: PrefixDigest,
        since: Option<u64>,
        shown: Option<PrefixDigest>,
    ) -> LeaseRenewal {
        let kept = Kept::new([(companion(), kept)].into(), Some(Digest::ZERO));
        let shown = shown.into_iter().map(|prefix| (companion(), prefix)).collect();
        self.renewal(commit).with_continuity(kept, Shown::new(since, shown, vec![Digest::ZERO]))
    }

    async fn code(&self, renewal: &LeaseRenewal) -> Option<String> {
        self.witness.renew(renewal).await.err().map(|failure| failure.code().to_owned())
    }
}

/// W9: a shorter one, one with other records, and any of them however far it has got; a sound one
/// passes, one that shows another renewal's prefix reads the lease first.
pub(crate) async fn w9_an_event_store_shows_what_it_kept<W: Witnesses>() -> Result<(), Violation> {
    let scene = Scene::set::<W>().await?;
    scene.witness.renew(&scene.showing(7, prefix(3, 1), None, None)).await?;
    let refused = Some("store-went-back".to_owned());
    for (commit, shown) in [(7, None), (8, Some(prefix(3, 2))), (500, Some(prefix(3, 2))), (500, None)] {
        let code = scene.code(&scene.showing(commit, prefix(90, 2), Some(1), shown)).await;
        demand!(code == refused, "a store at commit {commit} that shows {shown:?} was answered with {code:?}");
    }
    let earlier = scene.code(&scene.showing(8, prefix(4, 1), None, Some(prefix(2, 1)))).await;
    demand!(earlier.as_deref() == Some("other-renewal"), "another renewal's prefix was answered with {earlier:?}");
    let forgetful = scene.renewal(8).with_continuity(
        Kept::new([].into(), Some(Digest::ZERO)),
        Shown::new(Some(1), [(companion(), prefix(3, 1))].into(), vec![Digest::ZERO]),
    );
    let code = scene.code(&forgetful).await;
    demand!(code.as_deref() == Some("keeps-less"), "a renewal that keeps less was answered with {code:?}");
    let sound = scene.code(&scene.showing(8, prefix(4, 1), Some(1), Some(prefix(3, 1)))).await;
    demand!(sound.is_none(), "a store that shows what it kept was answered with {sound:?}");
    Ok(())
}

/// W10: one that was lost, and one that was restored; a sound one may hold several marks.
pub(crate) async fn w10_a_state_store_shows_its_mark<W: Witnesses>() -> Result<(), Violation> {
    let scene = Scene::set::<W>().await?;
    let mark = |number: u8| Digest::from_bytes([number; 32]);
    let renewal = |since, shown: &[u8], sent: u8| {
        let shown = Shown::new(since, BTreeMap::new(), shown.iter().map(|number| mark(*number)).collect());
        scene.renewal(7).with_continuity(Kept::new(BTreeMap::new(), Some(mark(sent))), shown)
    };
    scene.witness.renew(&renewal(None, &[], 1)).await?;
    scene.witness.renew(&renewal(Some(1), &[1], 2)).await?;
    for shown in [&[][..], &[1], &[9, 1]] {
        let code = scene.code(&renewal(Some(2), shown, 3)).await;
        demand!(code.as_deref() == Some("state-went-back"), "marks {shown:?} were answered with {code:?}");
    }
    let sound = scene.code(&renewal(Some(2), &[1, 2], 3)).await;
    demand!(sound.is_none(), "a store with the mark was answered with {sound:?}");
    Ok(())
}

/// W11: of a `leased` scope.
pub(crate) async fn w11_evidence_is_the_takeover_rules<W: Witnesses>() -> Result<(), Violation> {
    let scene = Scene::set::<W>().await?;
    let lease = scene.witness.renew(&scene.renewal(1)).await?.revision;
    let run_out = |waited_nanos| Evidence::LeaseRunOut {
        lease_revision: lease,
        last_sequence: 1,
        waited_nanos,
        mirrored_ends: Cut::new(),
    };
    let attested = Evidence::Attested { statement: "a test".to_owned() };
    for evidence in [attested, Evidence::Sealed { ends: Cut::new() }, run_out(0), run_out(8_007_999_999)] {
        let record = scene.takeover(&scene.a, east(), Scene::claim("run", 1), evidence.clone());
        let outcome = scene.witness.claim(&[record], Some((&west(), lease))).await;
        let code = outcome.as_ref().err().map(Failure::code);
        demand!(code == Some("unlawful-evidence"), "{evidence:?} was answered with {outcome:?}");
    }
    let lawful = scene.takeover(&scene.a, east(), Scene::claim("run", 1), run_out(8_008_000_000));
    scene.witness.claim(&[lawful], Some((&west(), lease))).await?;
    Ok(())
}
