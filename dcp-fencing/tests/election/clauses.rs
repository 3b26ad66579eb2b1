//! What an election over a state store promises, as clauses.

use std::sync::Arc;
use std::time::Duration;

use dcp_core::clock::{Clock, Moment, TokioClock};
use dcp_core::demand;
use dcp_core::fence::{Fence, FenceRank, Judgement, Purpose};
use dcp_core::ids::ResourceId;
use dcp_core::lease::LeaseTerms;
use dcp_core::memory::{MemoryEventStore, MemoryStateStore};
use dcp_core::operation::Leadership;
use dcp_core::ownership::Epoch;
use dcp_core::ports::{LeaderElection, OwnershipLease, ResourceGuard, Sealable, StateStore};
use dcp_core::position::LogIncarnation;
use dcp_core::testing::fixtures::{TwoRegions, orders, partition_log, slice_a, west};
use dcp_core::testing::{Clause, Violation};
use dcp_core::{Error, ErrorKind};
use dcp_fencing::guard::{EventStoreSlice, GuardParts, SliceGuard};

use crate::doubtful::DoubtfulStore;

/// Elections of region `west` under test.
pub(crate) trait Elections: 'static {
    /// A process of this name; `life` differs each time it starts.
    fn join(
        store: Arc<dyn StateStore>,
        name: &str,
        life: u64,
        terms: &LeaseTerms,
        clock: Arc<dyn Clock>,
    ) -> Arc<dyn LeaderElection>;
}

/// The clauses, bound to an implementation.
pub(crate) fn table<E: Elections>() -> Vec<Clause> {
    macro_rules! rows {
        ($($id:literal $demands:literal $run:ident)*) => {
            vec![$(Clause { id: $id, demands: $demands, run: || Box::pin($run::<E>()) }),*]
        };
    }
    rows! {
        "EL1" "of two challengers that race, one wins" el1_of_two_challengers_one_wins
        "EL2" "every election of a region has a higher revision, whichever process wins" el2_revisions_rise_across_processes
        "EL3" "a holder with the same id retakes at once" el3_the_same_holder_retakes_at_once
        "EL4" "another holder waits until the lease has run out on its own clock" el4_another_holder_waits_for_the_lease
        "EL5" "a renewal after a takeover is fenced" el5_renewal_after_a_takeover_is_fenced
        "EL6" "a take whose answer was lost is recognised as one's own" el6_an_unknown_outcome_is_resolved
        "EL7" "renewals keep the term" el7_renewals_keep_the_term
        "EL8" "three elections refuse no producer's first grant" el8_elections_refuse_no_producer
    }
}

struct Scene<E> {
    store: Arc<DoubtfulStore>,
    terms: LeaseTerms,
    clock: Arc<TokioClock>,
    lives: u64,
    elections: std::marker::PhantomData<E>,
}

impl<E: Elections> Scene<E> {
    fn set() -> Self {
        let terms = LeaseTerms::new(Duration::from_secs(8), 1_000, Duration::from_secs(1)).unwrap();
        let clock = Arc::new(TokioClock::new());
        Self { store: DoubtfulStore::new(), terms, clock, lives: 0, elections: std::marker::PhantomData }
    }

    fn join(&mut self, name: &str) -> Arc<dyn LeaderElection> {
        self.lives += 1;
        let store = Arc::<DoubtfulStore>::clone(&self.store);
        E::join(store, name, self.lives, &self.terms, Arc::<TokioClock>::clone(&self.clock))
    }

    async fn waits(&self, duration: Duration) {
        self.clock.sleep(duration).await;
    }
}

async fn in_time(election: &dyn LeaderElection, time: Duration) -> Result<Leadership, Violation> {
    let campaign = tokio::time::timeout(time, election.campaign()).await;
    Ok(campaign.map_err(|_| Violation(format!("no leader within {time:?}")))??)
}

/// EL1.
pub(crate) async fn el1_of_two_challengers_one_wins<E: Elections>() -> Result<(), Violation> {
    let mut scene = Scene::<E>::set();
    let (one, two) = (scene.join("one"), scene.join("two"));
    let soon = Duration::from_secs(2);
    let (first, second) = tokio::join!(in_time(&*one, soon), in_time(&*two, soon));
    let won = usize::from(first.is_ok()) + usize::from(second.is_ok());
    demand!(won == 1, "{won} of two challengers lead: {first:?}, {second:?}");
    Ok(())
}

/// EL2: also for processes that never saw each other's terms, and for one that starts again; so
/// that a fence sealed at one term passes the next and refuses the last.
pub(crate) async fn el2_revisions_rise_across_processes<E: Elections>() -> Result<(), Violation> {
    let mut scene = Scene::<E>::set();
    let mut fence = Fence::unset();
    let mut last: Option<FenceRank> = None;
    for name in ["one", "two", "three", "one", "two"] {
        let term = in_time(&*scene.join(name), Duration::from_secs(60)).await?.term().clone();
        let rank = FenceRank { epoch: Epoch::GENESIS, issuer: term.issuer, revision: term.revision };
        let judgement = fence.judge(&rank, Purpose::Seal);
        demand!(judgement == Judgement::Raises, "{name} was elected at {rank} and is {judgement:?} after {last:?}");
        fence = fence.raised(&rank);
        if let Some(last) = &last {
            let judgement = fence.judge(last, Purpose::Attempt);
            demand!(judgement == Judgement::Stale, "the leader before {name}, at {last}, is {judgement:?}");
        }
        last = Some(rank);
    }
    Ok(())
}

/// EL3: its earlier life is over, which EL2 makes visible to fences too.
pub(crate) async fn el3_the_same_holder_retakes_at_once<E: Elections>() -> Result<(), Violation> {
    let mut scene = Scene::<E>::set();
    let earlier = scene.join("one");
    in_time(&*earlier, Duration::from_secs(60)).await?;
    let before = scene.clock.now();
    let later = scene.join("one");
    let again = in_time(&*later, Duration::from_secs(60)).await?;
    let took = scene.clock.now().since(before);
    demand!(took < Duration::from_secs(1), "a holder waited {took:?} for its own earlier life");
    later.renew(&again).await?;
    Ok(())
}

/// EL4: not before the challenger has seen no renewal for TTL(1+ρ), and soon after.
pub(crate) async fn el4_another_holder_waits_for_the_lease<E: Elections>() -> Result<(), Violation> {
    let mut scene = Scene::<E>::set();
    let one = scene.join("one");
    let leadership = in_time(&*one, Duration::from_secs(60)).await?;
    let two = scene.join("two");
    let mut campaign = two.campaign();
    for _ in 0..10 {
        let early = tokio::time::timeout(Duration::from_secs(2), &mut campaign).await;
        demand!(early.is_err(), "a renewed leader was succeeded: {early:?}");
        one.renew(&leadership).await?;
    }
    let renewed = scene.clock.now();
    let won = tokio::time::timeout(Duration::from_secs(30), campaign).await;
    let waited = scene.clock.now().since(renewed);
    demand!(matches!(won, Ok(Ok(_))), "a dead leader was not succeeded: {won:?}");
    demand!(waited >= scene.terms.challenge_wait(), "a leader was succeeded {waited:?} after its last renewal");
    demand!(waited < scene.terms.challenge_wait() + Duration::from_secs(4), "succession took {waited:?}");
    Ok(())
}

/// EL5.
pub(crate) async fn el5_renewal_after_a_takeover_is_fenced<E: Elections>() -> Result<(), Violation> {
    let mut scene = Scene::<E>::set();
    let one = scene.join("one");
    let old = in_time(&*one, Duration::from_secs(60)).await?;
    one.renew(&old).await?;
    let two = scene.join("two");
    let new = in_time(&*two, Duration::from_secs(60)).await?;
    let renewed = one.renew(&old).await.err();
    let kind = renewed.as_ref().and_then(|failure| failure.not_applied()).map(Error::kind);
    demand!(kind == Some(ErrorKind::Fenced), "a renewal after the takeover was answered with {renewed:?}");
    two.renew(&new).await?;
    Ok(())
}

/// EL6: also where the request was lost and not the answer.
pub(crate) async fn el6_an_unknown_outcome_is_resolved<E: Elections>() -> Result<(), Violation> {
    let mut scene = Scene::<E>::set();
    scene.store.lose_answers(1);
    let one = scene.join("one");
    let leadership = in_time(&*one, Duration::from_secs(60)).await?;
    demand!(leadership.term().revision == 1, "its own commit was not recognised: {:?}", leadership.term());
    scene.waits(Duration::from_secs(20)).await;
    scene.store.lose_requests(1);
    let two = scene.join("two");
    let leadership = in_time(&*two, Duration::from_secs(60)).await?;
    two.renew(&leadership).await?;
    Ok(())
}

/// EL7.
pub(crate) async fn el7_renewals_keep_the_term<E: Elections>() -> Result<(), Violation> {
    let mut scene = Scene::<E>::set();
    let one = scene.join("one");
    let leadership = in_time(&*one, Duration::from_secs(60)).await?;
    for _ in 0..3 {
        one.renew(&leadership).await?;
        let current = one.current().await?;
        demand!(current.as_ref() == Some(leadership.term()), "renewed, the term is {current:?}");
    }
    Ok(())
}

#[derive(Debug)]
struct Always;

impl OwnershipLease for Always {
    fn check(&self, _: &dcp_core::ids::SliceRef, _: Epoch, now: Moment) -> Result<Moment, Error> {
        Ok(now.after(Duration::from_secs(1)))
    }
}

/// EL8: each new leader seals the guard, as it must before it acts.
pub(crate) async fn el8_elections_refuse_no_producer<E: Elections>() -> Result<(), Violation> {
    let mut scene = Scene::<E>::set();
    let world = TwoRegions::new();
    let first_grant = world.genesis(&slice_a(&orders()));
    let events = Arc::new(MemoryEventStore::new(west(), LogIncarnation::from_bytes([1; 16])));
    let parts = GuardParts::new(
        west(),
        ResourceId::new("west.orders.a")?,
        slice_a(&orders()),
        Arc::new(MemoryStateStore::new()),
        world.keyring().clone(),
        Arc::new(Always),
        Arc::new(EventStoreSlice::new(events, vec![partition_log(&west(), 0)])),
        Arc::<TokioClock>::clone(&scene.clock),
    );
    let guard = SliceGuard::new(parts)?;
    guard.open(&first_grant).await?;
    let mut revision = 0;
    for name in ["one", "two", "three"] {
        let leadership = in_time(&*scene.join(name), Duration::from_secs(60)).await?;
        // What this clause is about is the producer; that revisions rise is EL2's.
        revision = leadership.term().revision.max(revision + 1);
        guard.seal(&world.token(&first_grant, &leadership.term().holder, revision)).await?;
        let permit = guard.admit(&first_grant, Moment::from_nanos(1));
        permit.map_err(|error| Violation(format!("{name}'s election refused a producer: {error}")))?.not_applied();
    }
    Ok(())
}
