//! The arithmetic of ownership leases under drifting clocks, lost answers and late landings.

// A test stops where its own set-up fails.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use dcp_core::clock::Moment;
use dcp_core::lease::{Challenge, ChallengeState, LeaseSight, LeaseTerms, WatchedLease};
use proptest::prelude::*;

const PPM: u64 = 1_000_000;

/// A clock that runs at `ppm` millionths of real time, which is given in nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Drifting {
    ppm: u64,
    zero: u64,
}

impl Drifting {
    fn at(self, real: u64) -> Moment {
        let ran = u128::from(real) * u128::from(self.ppm) / u128::from(PPM);
        Moment::from_nanos(self.zero + u64::try_from(ran).unwrap())
    }

    /// The first real time, to the nanosecond, at which the clock shows `moment` or later.
    fn real(self, moment: Moment) -> u64 {
        let ran = u128::from(moment.as_nanos().saturating_sub(self.zero));
        u64::try_from((ran * u128::from(PPM)).div_ceil(u128::from(self.ppm))).unwrap()
    }
}

#[derive(Debug, Clone)]
struct World {
    terms: LeaseTerms,
    // The bound on each clock's rate error, in millionths.
    rho: u64,
    owner: Drifting,
    challenger: Drifting,
}

fn world() -> impl Strategy<Value = World> {
    (200..20_000_u64, 0..50_000_u32, prop_oneof![1..3_u64, 1..40_u64])
        .prop_flat_map(|(ttl, rho, part)| {
            let deadline = Duration::from_millis(ttl * part / 100 + 1);
            let terms = LeaseTerms::new(Duration::from_millis(ttl), rho, deadline);
            let rho = u64::from(rho);
            let clock = move || {
                let rate = prop_oneof![Just(PPM - rho), Just(PPM + rho), PPM - rho..=PPM + rho];
                (rate, 0..1_000_000_000_000_u64).prop_map(|(ppm, zero)| Drifting { ppm, zero })
            };
            (Just((terms, rho)), clock(), clock())
        })
        .prop_filter_map("terms that leave an owner too little", |((terms, rho), owner, challenger)| {
            terms.ok().map(|terms| World { terms, rho, owner, challenger })
        })
}

/// One renewal: pause before it is sent and time until it lands, in thousandths of the time to
/// live, and whether its answer arrives.
fn renewals() -> impl Strategy<Value = Vec<(u64, u64, bool)>> {
    prop::collection::vec((0..1_500_u64, prop_oneof![3 => 0..20_u64, 1 => 0..400_u64], any::<bool>()), 1..8)
}

/// One reading by the challenger: pause before it, and how long its answer takes, in the same
/// measure.
fn readings() -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((0..60_u64, 0..40_u64), 1..200)
}

proptest! {
    #[test]
    fn the_owner_and_its_clients_stop_before_a_challenger_may_claim(
        world in world(),
        sent in 0..1_000_000_000_000_u64,
        seen_after in 0..5_000_000_000_u64,
    ) {
        let World { terms, rho, owner, challenger } = world;
        let owner_ends = owner.real(terms.valid_until(owner.at(sent)));
        let mut challenge = Challenge::new();
        let seen = challenger.at(sent + seen_after);
        challenge.observe(1, 1, seen);
        let claims = challenger.real(seen.after(terms.challenge_wait()));
        prop_assert!(owner_ends < claims, "the owner ends at {owner_ends}, the challenger claims at {claims}");

        // The last answer, sent when the owner's lease ended at the latest, is counted at most one
        // deadline later, on a client's clock that is as slow as the bound allows.
        let slowest = Drifting { ppm: PPM - rho, zero: 0 };
        let counted = owner_ends + slowest.real(Moment::from_nanos(0).after(terms.request_deadline()));
        prop_assert!(counted <= claims + 10, "a client counts until {counted}, the challenger claims at {claims}");

        let early = challenger.at(claims.saturating_sub(1_000_000));
        let too_early = matches!(challenge.state(&terms, early), ChallengeState::RunOut { .. });
        prop_assert!(!too_early, "run out a millisecond early");
    }

    #[test]
    fn a_claim_that_succeeds_finds_no_valid_owner(world in world(), renewals in renewals(), readings in readings()) {
        let World { terms, owner, challenger, .. } = world;
        let unit = u64::try_from(terms.ttl().as_micros()).unwrap();
        // Renewals in the order in which they land; one at a time, as the owner sends them.
        let mut landed = Vec::new();
        let mut real = 0;
        for (pause, way, answered) in renewals {
            let sent = real + pause * unit;
            real = sent + way * unit;
            landed.push((real, owner.at(sent), answered));
        }
        let held = |at: u64| u64::try_from(landed.iter().filter(|(lands, ..)| *lands <= at).count()).unwrap();
        let mut challenge = Challenge::new();
        let mut now = 0;
        for (pause, way) in readings {
            let read = now + pause * unit;
            now = read + way * unit;
            if held(read) > 0 {
                challenge.observe(held(read), held(read), challenger.at(now));
            }
            let ChallengeState::RunOut { revision, .. } = challenge.state(&terms, challenger.at(now)) else { continue };
            if revision != held(now) {
                continue; // The conditional claim is refused: a renewal slipped in.
            }
            for (lands, sent, answered) in &landed {
                let valid = *answered && *lands <= now && owner.at(now) < terms.valid_until(*sent);
                prop_assert!(!valid, "claimed at {now} while the renewal sent at {sent:?} was valid");
            }
        }
    }

    #[test]
    fn only_observed_silence_runs_a_lease_out(
        world in world(),
        // Pause before each reading, time to its answer (thousandths of the time to live), whether
        // it is answered, and whether it shows a renewal.
        readings in prop::collection::vec((0..200_u64, 0..60_u64, prop::bool::weighted(0.8), prop::bool::weighted(0.05)), 1..200),
    ) {
        let terms = world.terms;
        let unit = u64::try_from(terms.ttl().as_micros()).unwrap();
        let (mut watched, mut revision, mut now) = (WatchedLease::new(), 1, 0);
        // Answered readings: when sent, when answered, what they showed.
        let mut answered: Vec<(u64, u64, u64)> = Vec::new();
        for (pause, way, answers, renewed) in readings {
            let asked = now + pause * unit;
            now = asked + way * unit;
            revision += u64::from(renewed);
            if answers {
                let sight = LeaseSight {
                    revision,
                    sequence: revision,
                    asked: Moment::from_nanos(asked),
                    received: Moment::from_nanos(now),
                };
                watched.read(&terms, sight);
                answered.push((asked, now, revision));
            }
            // The model: from the newest reading back as long as the revision stands and no two
            // readings lie too far apart.
            let mut silence = Duration::ZERO;
            if let Some((last, ..)) = answered.last() {
                let mut first = answered.len() - 1;
                while first > 0 && answered[first - 1].2 == answered[first].2
                    && Duration::from_nanos(answered[first].1 - answered[first - 1].0) <= terms.silence_gap()
                {
                    first -= 1;
                }
                silence = Duration::from_nanos(last.saturating_sub(answered[first].1));
            }
            let state = watched.state(&terms, Moment::from_nanos(now));
            let run_out = matches!(state, ChallengeState::RunOut { .. });
            prop_assert_eq!(run_out, silence >= terms.challenge_wait(), "silent for {:?}: {:?}", silence, state);
        }
    }

    #[test]
    fn terms_leave_the_owner_half_or_are_refused(ttl in 0..100_000_u64, rho in 0..300_000_u32, deadline in 0..100_000_u64) {
        let made = LeaseTerms::new(Duration::from_millis(ttl), rho, Duration::from_millis(deadline));
        if let Ok(terms) = made {
            let usable = terms.valid_until(Moment::from_nanos(0)).since(Moment::from_nanos(0));
            prop_assert!(usable * 2 >= terms.ttl() && !terms.ttl().is_zero());
            prop_assert!(terms.challenge_wait() >= terms.ttl());
        }
    }
}
