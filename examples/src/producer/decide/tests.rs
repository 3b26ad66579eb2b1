use dcp_core::digest::Digest;
use dcp_core::event::{EventId, Version};
use dcp_core::ids::SliceId;
use dcp_core::lease::LeaseTerms;
use dcp_core::log::LogId;
use dcp_core::ports::AppendAck;
use dcp_core::position::{LogIncarnation, Position, PrefixDigest};
use proptest::prelude::*;

use super::*;
use crate::orders::new_event;
use crate::producer::run::tests::{central, treaty_of, west};

const DEADLINE: Duration = Duration::from_millis(500);

fn owner(epoch: u64, region: RegionId) -> Owner {
    Owner { epoch: Epoch::new(epoch), region }
}

fn appended() -> Appended {
    Appended { acks: Vec::new(), prefix: PrefixDigest::EMPTY }
}

type Make = fn(&'static str, String) -> Error;

fn refused(kind: Make) -> Outcome {
    Outcome::NotApplied(kind("x", "y".to_owned()))
}

proptest! {
    #[test]
    fn a_batch_is_the_longest_lawful_run(
        steps in proptest::collection::vec(1_u64..5, 0..40), from in 0_usize..45, gate in 0_u64..120, most in 1_usize..10,
    ) {
        let lines: Vec<u64> = steps.iter().scan(0, |line, step| { *line += step; Some(*line) }).collect();
        let batch = next_batch(&lines, from, gate, most);
        prop_assert_eq!(batch.start, from);
        prop_assert!(batch.len() <= most);
        let taken = lines.get(batch.clone()).unwrap_or(&[]);
        prop_assert!(taken.iter().all(|line| *line <= gate));
        let held = lines.get(batch.end).is_none_or(|line| *line > gate);
        prop_assert!(batch.len() == most || held, "nothing lawful is left out");
    }

    #[test]
    fn pauses_rise_within_their_bounds(failures in 0_u32..100) {
        let mut route = Route::new(west(), false);
        let mut last = Duration::ZERO;
        for _ in 0..failures {
            route.learned_nothing();
            let pause = route.pause();
            prop_assert!(pause >= last && (PAUSE_MIN..=PAUSE_MAX).contains(&pause));
            last = pause;
        }
    }

    #[test]
    fn an_answer_counts_only_within_the_deadline(waited in 0_u64..1_000) {
        let waited = Duration::from_millis(waited);
        let counted = judge(Some(Ok(appended())), waited, DEADLINE) == Outcome::Counted(appended());
        prop_assert_eq!(counted, waited <= DEADLINE);
    }
}

#[test]
fn a_refusal_is_certain_however_late_and_silence_is_not() {
    let late = DEADLINE * 2;
    let error = Error::fenced("x", "y");
    assert_eq!(judge(Some(Err(Failure::NotApplied(error.clone()))), late, DEADLINE), Outcome::NotApplied(error));
    assert_eq!(judge(Some(Err(Failure::in_doubt("x", "y"))), late, DEADLINE), Outcome::Late);
    assert_eq!(judge(Some(Err(Failure::in_doubt("x", "y"))), DEADLINE, DEADLINE), Outcome::InDoubt);
    assert_eq!(judge(None, DEADLINE, DEADLINE), Outcome::Late);
}

#[test]
fn a_silent_owner_is_asked_before_it_is_sent_to() {
    let mut route = Route::new(west(), false);
    let (old, new) = (owner(1, west()), owner(2, central()));
    assert_eq!(route.target(None), None);
    assert_eq!(route.target(Some(&old)), Some(old.clone()));
    assert_eq!(route.after(&old, &Outcome::Late), Next::Again { in_doubt: true });
    assert_eq!(route.target(Some(&old)), None);
    assert_eq!(route.target(Some(&new)), Some(new));
    route.heard(&west());
    assert_eq!(route.target(Some(&old)), Some(old.clone()));
    assert_eq!(route.after(&old, &Outcome::InDoubt), Next::Again { in_doubt: true });
    assert_eq!(route.target(Some(&old)), Some(old), "a region that answers is not silent");
}

#[test]
fn a_preferred_home_is_left_as_soon_as_it_does_not_acknowledge() {
    let (old, new) = (owner(1, west()), owner(2, central()));
    let mut outcomes = vec![Outcome::Late, Outcome::InDoubt];
    outcomes.extend([refused(Error::fenced), refused(Error::retry), refused(Error::stopped)]);
    for outcome in outcomes {
        let mut route = Route::new(west(), true);
        assert_eq!(route.target(Some(&new)), Some(new.clone()), "it never began at home");
        assert_eq!(route.after(&old, &Outcome::Counted(appended())), Next::Done);
        assert_eq!(route.target(Some(&new)), Some(old.clone()), "it acknowledged");
        assert!(matches!(route.after(&old, &outcome), Next::Again { .. }));
        assert_eq!(route.target(Some(&new)), Some(new.clone()));
    }
    let mut route = Route::new(west(), false);
    assert_eq!(route.after(&old, &Outcome::Counted(appended())), Next::Done);
    assert_eq!(route.target(Some(&new)), Some(new));
}

#[test]
fn what_repeating_cannot_cure_stops() {
    let to = owner(1, west());
    for kind in [Error::invalid as Make, Error::corrupt] {
        assert!(matches!(Route::new(west(), false).after(&to, &refused(kind)), Next::Stop(_)));
    }
    for kind in [Error::retry as Make, Error::fenced, Error::conflict, Error::stopped] {
        let mut route = Route::new(west(), false);
        for _ in 0..REFUSALS_MAX * 2 {
            assert_eq!(route.after(&to, &refused(kind)), Next::Again { in_doubt: false });
        }
    }
    let mut route = Route::new(west(), false);
    for _ in 1..REFUSALS_MAX {
        assert_eq!(route.after(&to, &refused(Error::refused)), Next::Again { in_doubt: false });
    }
    assert!(matches!(route.after(&to, &refused(Error::refused)), Next::Stop(_)));
}

#[test]
fn the_highest_lawful_epoch_is_followed() {
    let terms = LeaseTerms::new(Duration::from_secs(5), 1_000, DEADLINE).unwrap();
    let treaty = treaty_of(&terms);
    let slice = treaty.slices()[0].clone();
    let told = |epoch, region: RegionId| {
        let mut record = Ownership::genesis(slice.clone(), region);
        record.epoch = Epoch::new(epoch);
        record
    };
    let known = owner(2, central());
    let follow = |record: &Ownership| newer(&treaty, &slice, Some(&known), record);
    assert_eq!(follow(&told(1, west())).unwrap(), known);
    assert_eq!(follow(&told(2, central())).unwrap(), known);
    assert_eq!(follow(&told(3, west())).unwrap(), owner(3, west()));
    assert_eq!(newer(&treaty, &slice, None, &told(1, west())).unwrap(), owner(1, west()));
    assert!(follow(&told(2, west())).unwrap_err().message().contains("both hold signed epoch 2"));
    assert_eq!(follow(&told(3, RegionId::new("us-east-1").unwrap())).unwrap_err().code(), "bad-ownership");
    let mut other = told(3, west());
    other.slice.slice = SliceId::new("s99").unwrap();
    assert_eq!(follow(&other).unwrap_err().code(), "bad-ownership");
}

#[test]
fn an_answer_must_be_that_of_the_batch() {
    let line = crate::orders::OrderLine::new(1, ["5", "A", "", "6", "", "1", "", "EIRE"]);
    let event = new_event(&line).unwrap();
    let scope = ScopeId::new("orders.eu-west-2").unwrap();
    let answer = |id: EventId, partition| Appended {
        acks: vec![AppendAck {
            id,
            log: LogId::new(scope.clone(), west(), partition),
            position: Position::from_store(LogIncarnation::from_bytes([1; 16]), 0),
            epoch: Epoch::GENESIS,
            version: Version::new(1),
            existing: false,
        }],
        prefix: PrefixDigest { count: 1, digest: Digest::ZERO },
    };
    let check = |appended: &Appended| check_answer(&scope, 3, std::slice::from_ref(&event), appended);
    assert!(check(&answer(event.id, 3)).is_ok());
    assert!(check(&answer(event.id, 4)).is_err());
    assert!(check(&answer(EventId::from_bytes([0; 16]), 3)).is_err());
    assert!(check(&appended()).is_err());
}
