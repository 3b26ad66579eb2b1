use std::collections::BTreeMap;

use dcp_core::digest::Digest;
use dcp_core::ownership::{Epoch, Evidence};
use dcp_core::ports::Facts;
use dcp_core::runbook::Record;

use super::history::Story;
use super::sample::{self, CENTRAL, SECOND, TAKEN, WEST};
use super::*;
use crate::drill::record::{Dark, Phase};
use crate::orders::Home;
use crate::producer::evidence::{LateAnswer, LateKind};

const OFFSET: ClockOffset = ClockOffset::of(SECOND);

fn judged(from: &Gathered, record: &RunRecord) -> Judged {
    judge_gathered(from, record, Vec::new(), OFFSET)
}

/// The invariants that are violated after a spoil, and those of them never checked.
fn violated(spoil: impl FnOnce(&mut Gathered, &mut RunRecord)) -> Vec<String> {
    let (mut from, mut record) = (sample::gathered(), sample::record());
    spoil(&mut from, &mut record);
    let findings = findings(&from, &Derived::of(&from, record.stale.as_ref()), &record);
    let bad = findings.into_iter().filter(|finding| finding.violation.is_some());
    let bad: Vec<String> = bad
        .map(|finding| {
            assert!(!finding.invariant.held, "{finding:?}");
            finding.invariant.id
        })
        .collect();
    let verdict = judged(&from, &record).verdict.verdict;
    assert_eq!(verdict == Judgement::Failed, !bad.is_empty(), "{verdict:?}");
    bad
}

fn both(from: &mut Gathered, spoil: impl Fn(&mut table::StoreTable)) {
    from.stores.values_mut().for_each(spoil);
}

#[test]
fn a_good_run_passes_with_every_invariant_checked() {
    let judged = judged(&sample::gathered(), &sample::record());
    assert_eq!((judged.verdict.verdict, judged.reasons, judged.notes), (Judgement::Passed, vec![], vec![]));
    let ids: Vec<&str> = judged.verdict.invariants.iter().map(|invariant| invariant.id.as_str()).collect();
    assert_eq!(ids, ["F1", "F2", "F3", "F4", "M1", "M2", "M4", "R1", "R2", "R4"]);
    assert!(judged.verdict.invariants.iter().all(|invariant| invariant.held && invariant.checked > 0));
}

#[test]
fn the_figures_are_those_of_the_evidence() {
    let verdict = judged(&sample::gathered(), &sample::record()).verdict;
    // Intent at 8.0, of which 5.0 had been waited; open at 8.5.
    assert_eq!(verdict.takeover_seconds, Some(5.5));
    // The fault at 1.0; the first answer at 7.8, green at 9.5 on a clock that is 1.0 ahead.
    assert_eq!(verdict.rto_seconds, Some(7.5));
    assert_eq!(verdict.post_takeover_acks, 0);
    // Two records had not been mirrored; one of them was in doubt and promised to nobody.
    let rpo = &verdict.rpo[..];
    assert_eq!((rpo.len(), rpo[0].unreplicated_records, rpo[0].declared_records, rpo[0].lost_records), (1, 1, 3, 0));
    assert_eq!(verdict.write_pause_ms.iter().map(|pause| pause.ms).collect::<Vec<_>>(), [1_000.0]);
    assert_eq!(verdict.steps[1].id, "eu-central-1/blackout/take-ownership");
    assert_eq!((verdict.steps.len(), verdict.steps[1].outcome.as_str()), (6, "done"));
    assert_eq!(verdict.faults.iter().map(|fault| fault.kind.as_str()).collect::<Vec<_>>(), ["pause", "held-append"]);
}

#[test]
fn f1_sees_epochs_that_fall_repeat_or_are_anothers() {
    assert_eq!(
        violated(|from, _| from.chains.get_mut(&sample::slice(Home::West)).unwrap()[1].epoch = 3),
        ["F1", "F3", "M2"]
    );
    assert_eq!(violated(|from, _| both(from, |table| table.logs[WEST][5].epoch = 1)), ["F1", "F3", "F4", "M2"]);
    assert_eq!(violated(|from, _| both(from, |table| table.logs[CENTRAL][0].epoch = 2)), ["F1", "F3", "F4"]);
}

#[test]
fn f2_sees_an_old_answer_after_a_new_one_and_counts_it() {
    let spoil = |from: &mut Gathered| from.told.acks[2].at_ns = 8 * SECOND;
    assert_eq!(violated(|from, _| spoil(from)), ["F2"]);
    let mut from = sample::gathered();
    spoil(&mut from);
    assert_eq!(judged(&from, &sample::record()).verdict.post_takeover_acks, 1);
}

#[test]
fn a_return_that_is_ordered_again_finds_nothing_unreplicated() {
    let again = |from: &mut Gathered, unreplicated: u64| {
        let mut steps: Vec<_> = from.story.steps.iter().filter(|fact| fact.plan == "rejoin").cloned().collect();
        for fact in &mut steps {
            fact.run = sample::run("again");
            if fact.step == "classify" {
                let log = sample::logs().entry(WEST).id.clone();
                let facts = Facts::new().with("classes", &BTreeMap::from([(log.clone(), "intact")])).unwrap();
                fact.facts = facts.with("unreplicated", &BTreeMap::from([(log, unreplicated)])).unwrap();
            }
        }
        from.story.steps.extend(steps);
    };
    assert!(violated(|from, _| again(from, 0)).is_empty());
    assert_eq!(violated(|from, _| again(from, 1)), ["M2"]);
}

#[test]
fn across_a_planned_move_an_answer_may_be_on_its_way() {
    let arrives_late = |from: &mut Gathered| from.told.acks[5].at_ns = from.told.acks[7].at_ns;
    assert!(violated(|from, _| arrives_late(from)).is_empty());
    let asked_late = |from: &mut Gathered| {
        arrives_late(from);
        from.told.acks[5].sent_ns = from.told.acks[5].at_ns;
    };
    assert_eq!(violated(|from, _| asked_late(from)), ["F2", "F3"]);
}

#[test]
fn f3_sees_an_epoch_that_was_over_anothers_and_a_record_that_is_not_there() {
    let late = |from: &mut Gathered| {
        (from.told.acks[2].sent_ns, from.told.acks[2].at_ns) = (8 * SECOND, 8 * SECOND + 1);
    };
    assert_eq!(violated(|from, _| late(from)), ["F2", "F3"]);
    assert_eq!(violated(|from, _| from.told.acks[0].sent_ns = SECOND), ["F3"]);
    assert_eq!(violated(|from, _| from.told.acks[4].rank = 9), ["F3"]);
    assert_eq!(violated(|from, _| from.told.acks[4].rank = 3), ["F3"]);
    assert_eq!(violated(|from, _| from.told.acks[8].by = Home::West), ["F3"]);
    // The same line again, elsewhere.
    let again = |from: &mut Gathered| {
        let mut ack = from.told.acks[3];
        (ack.log, ack.rank) = (WEST, 4);
        from.told.acks.push(ack);
    };
    assert_eq!(violated(|from, _| again(from)), ["F3"]);
}

#[test]
fn f3_sees_a_late_acknowledgement_of_the_append_that_was_held() {
    let late = |log, sent_ns, answer| LateAnswer {
        log: sample::logs().entry(log).id.clone(),
        epoch: Epoch::GENESIS,
        by: Home::West.region_id(),
        lines: (4, 4),
        sent_ns,
        at_ns: 20 * SECOND,
        answer,
        code: None,
    };
    let (before, after) = (SECOND - 1, SECOND + 1);
    let with = |answer: LateAnswer| violated(move |from, _| from.told.late.push(answer.clone()));
    assert_eq!(with(late(WEST, before, LateKind::Acknowledged)), ["F3"]);
    assert!(with(late(WEST, before, LateKind::InDoubt)).is_empty());
    // Another request, of which it is not known that it was held.
    assert!(with(late(WEST, after, LateKind::Acknowledged)).is_empty());
    assert!(with(late(CENTRAL, before, LateKind::Acknowledged)).is_empty());
    // Late for another reason: it came before the fault, after which the held one was let go.
    let answered_before = LateAnswer { at_ns: before, ..late(WEST, before - 1, LateKind::Acknowledged) };
    assert!(with(answered_before).is_empty());
}

#[test]
fn an_answer_that_names_an_older_record_needs_a_doubt() {
    // The centre finds line 4 in the tail and appends nothing.
    let found = |from: &mut Gathered| {
        (from.told.acks[3].log, from.told.acks[3].rank) = (WEST, 4);
        both(from, |table| {
            table.logs[TAKEN].remove(0);
            table.logs[TAKEN].iter_mut().for_each(|row| row.version -= 1);
        });
        let Evidence::Sealed { ends } = &mut from.chains.get_mut(&sample::slice(Home::West)).unwrap()[2].evidence
        else {
            panic!("no sealed move");
        };
        *ends = dcp_core::position::Cut::new();
    };
    assert_eq!(violated(|from, _| found(from)), Vec::<String>::new());
    let undoubted = violated(|from, _| {
        found(from);
        from.told.in_doubt.clear();
    });
    assert_eq!(undoubted, ["F3", "F4"]);
}

#[test]
fn f4_sees_what_was_let_through_also_where_nobody_says_so() {
    assert_eq!(violated(|_, record| record.stale.as_mut().unwrap().accepted.push("guard".to_owned())), ["F4"]);
    assert_eq!(violated(|_, record| record.stale.as_mut().unwrap().writes[1].refused -= 1), ["F4"]);
    // A record of line 5 that the west wrote under epoch 1; its producer never sent it there.
    let sneaked = |from: &mut Gathered| {
        both(from, |table| {
            table.logs[WEST].insert(4, sample::row(5, 1, 5, 5));
            for row in &mut table.logs[WEST][5..] {
                (row.version, row.rank) = (row.version + 1, row.rank + 1);
            }
        });
        from.told.acks[6].rank = 6;
        from.told.acks[7].rank = 7;
    };
    assert_eq!(violated(|from, _| sneaked(from)), ["F4", "M1", "M2"]);
    // The same with the stale write of that very line in doubt: it may be there, and it grew a sealed
    // log all the same. The doubt of another line, or of a seal, excuses nothing.
    let doubted = |resource: usize, lines: &[u64]| {
        violated(|from, record| {
            sneaked(from);
            let stale = record.stale.as_mut().unwrap();
            stale.doubtful_lines = lines.iter().copied().collect();
            let writes = &mut stale.writes[resource];
            (writes.refused, writes.in_doubt) = (119, 1);
            writes.reasons = [("stale".to_owned(), 119)].into();
        })
    };
    assert_eq!(doubted(0, &[5]), ["M2"]);
    assert_eq!(doubted(0, &[6]), ["F4", "M1", "M2"]);
    assert_eq!(doubted(1, &[]), ["F4", "M1", "M2"]);
}

#[test]
fn refusals_that_do_not_name_the_staleness_prove_nothing() {
    for resource in 0..4 {
        let mut record = sample::record();
        let writes = &mut record.stale.as_mut().unwrap().writes[resource];
        writes.reasons = [("no-answer".to_owned(), 21), ("lease-run-out".to_owned(), 99)].into();
        let judged = judged(&sample::gathered(), &record);
        assert_eq!(judged.verdict.verdict, Judgement::Inconclusive);
        assert!(judged.reasons.iter().any(|one| one.contains("99 stale writes")), "{:?}", judged.reasons);
        let f4 = &judged.verdict.invariants[3];
        assert_eq!((f4.id.as_str(), f4.held, f4.checked), ("F4", false, 0));
    }
}

#[test]
fn m1_sees_what_is_missing_other_twice_or_foreign() {
    let central =
        |from: &mut Gathered, spoil: fn(&mut table::StoreTable)| spoil(from.stores.get_mut(&Home::Central).unwrap());
    assert_eq!(violated(|from, _| central(from, |table| table.logs[WEST].truncate(5))), ["M1"]);
    assert_eq!(violated(|from, _| central(from, |table| table.logs[WEST][5].digest = Digest::ZERO)), ["M1"]);
    assert_eq!(violated(|from, _| from.told.in_doubt.clear()), ["F4", "M1"]);
    assert_eq!(violated(|from, _| central(from, |table| table.foreign.push("x".to_owned()))), ["M1"]);
    let lost = |from: &mut Gathered| both(from, |table| table.logs[WEST].truncate(5));
    assert_eq!(violated(|from, _| lost(from)), ["F3", "M1"]);
    let mut from = sample::gathered();
    lost(&mut from);
    assert_eq!(judged(&from, &sample::record()).verdict.rpo[0].lost_records, 1);
}

#[test]
fn m2_sees_a_mirror_that_was_no_prefix_a_seal_that_leaked_and_a_return_that_was_not_intact() {
    let evidence = |from: &mut Gathered, number: usize, evidence: Evidence| {
        from.chains.get_mut(&sample::slice(Home::West)).unwrap()[number].evidence = evidence;
    };
    assert_eq!(violated(|from, _| evidence(from, 2, Evidence::Sealed { ends: sample::cut(TAKEN, 4) })), ["M2"]);
    assert_eq!(violated(|from, _| evidence(from, 2, Evidence::Sealed { ends: sample::cut(TAKEN, 2) })), ["M2"]);
    let run_out =
        |ends| Evidence::LeaseRunOut { lease_revision: 1, last_sequence: 1, waited_nanos: 1, mirrored_ends: ends };
    assert_eq!(violated(|from, _| evidence(from, 1, run_out(sample::cut(WEST, 3)))), ["M2"]);
    assert_eq!(violated(|from, _| evidence(from, 1, run_out(sample::cut(WEST, 99)))), ["M2"]);
    let classified = |facts: Facts| {
        move |from: &mut Gathered, _: &mut RunRecord| {
            from.story.steps.iter_mut().find(|fact| fact.step == "classify").unwrap().facts = facts;
        }
    };
    let facts = |class: &str| {
        let log = sample::logs().entry(WEST).id.clone();
        let classes = BTreeMap::from([(log.clone(), class)]);
        let tail = BTreeMap::from([(log, 2_u64)]);
        Facts::new().with("classes", &classes).unwrap().with("unreplicated", &tail).unwrap()
    };
    assert_eq!(violated(classified(facts("intact"))), Vec::<String>::new());
    assert_eq!(violated(classified(facts("behind"))), ["M2"]);
    assert_eq!(violated(classified(Facts::new())), ["M2"]);
}

#[test]
fn m4_r1_r2_and_r4_see_content_models_and_gaps() {
    assert_eq!(violated(|from, _| both(from, |table| table.logs[WEST][0].sound = false)), ["M4"]);
    let models = |from: &mut Gathered| from.models.get_mut(&Home::West).unwrap().stock.items = 3;
    assert_eq!(violated(|from, _| models(from)), ["R1"]);
    assert_eq!(violated(|from, _| from.expected.stock.items = 3), ["R1"]);
    assert_eq!(violated(|from, _| drop(from.folded.insert(Home::West, Err("unsound".to_owned())))), ["R1"]);
    assert_eq!(violated(|from, _| both(from, |table| table.logs[WEST][4].version = 6)), ["R4"]);
    let status = |record: &mut RunRecord| {
        let replay = &mut record.last_status.get_mut("eu-west-2").unwrap().replay;
        replay.deliveries.values_mut().for_each(|counts| counts.applied_ahead = 1);
    };
    assert_eq!(violated(|_, record| status(record)), ["R4"]);
}

#[test]
fn r2_sees_a_process_that_found_another_model_and_one_that_noted_nothing() {
    let found = |from: &mut Gathered, found: Vec<models_found::Found>| drop(from.found.insert(Home::West, found));
    let other = models_found::Found::sample("something", "a fold");
    assert_eq!(violated(|from, _| found(from, vec![other])), ["R2"]);
    let mut from = sample::gathered();
    found(&mut from, Vec::new());
    let judged = judged(&from, &sample::record());
    assert_eq!(judged.verdict.verdict, Judgement::Inconclusive);
    assert_eq!((judged.verdict.invariants[8].held, &*judged.reasons[0]), (false, "R2 was never checked"));
}

#[test]
fn what_was_not_shown_is_inconclusive_with_its_reason() {
    type Spoil = fn(&mut Gathered, &mut RunRecord);
    let spoils: [(Spoil, &str); 11] = [
        (|_, record| record.fault.as_mut().unwrap().held = None, "the fault held-append"),
        (|_, record| record.dark = None, "no blackout was planned"),
        (|_, record| record.phase = Phase::Rejoined, "the run has only come to"),
        (|_, record| record.stale = None, "F4 was never checked"),
        (|_, record| record.stale.as_mut().unwrap().writes.truncate(3), "stale writes were not tried at store"),
        (|_, record| record.turns.tail = 3, "a tail of 1 records"),
        (|_, record| drop(record.last_status.remove("eu-west-2")), "eu-west-2 gave no status"),
        (|_, record| drop(record.last_status.remove("eu-central-1")), "no event was Late"),
        (|from, _| from.story = Story::default(), "no takeover was completed"),
        (|from, _| from.story.runs.clear(), "no return was completed"),
        (|from, _| from.chains.get_mut(&sample::slice(Home::Central)).unwrap()[0].owner = Home::West, "not at home"),
    ];
    for (number, (spoil, reason)) in spoils.into_iter().enumerate() {
        let (mut from, mut record) = (sample::gathered(), sample::record());
        spoil(&mut from, &mut record);
        let judged = judged(&from, &record);
        assert_ne!(judged.verdict.verdict, Judgement::Passed, "{number}");
        assert!(judged.reasons.iter().any(|one| one.contains(reason)), "{number}: {:?}", judged.reasons);
    }
}

#[test]
fn a_takeover_that_took_too_long_fails_unless_the_drill_itself_was_interrupted_in_it() {
    let mut from = sample::gathered();
    // 5.0 were waited; 2.005 are allowed to act in, by the lease's own clock error.
    let opened = |from: &mut Gathered, nanos: u64| {
        from.story.steps.iter_mut().find(|fact| fact.step == "open-logs").unwrap().ended_ns = nanos;
    };
    opened(&mut from, 10 * SECOND);
    assert_eq!(judged(&from, &sample::record()).verdict.verdict, Judgement::Passed);
    opened(&mut from, 10 * SECOND + SECOND / 100);
    let mut record = sample::record();
    let late = judged(&from, &record);
    assert_eq!(late.verdict.verdict, Judgement::Failed);
    assert!(late.reasons[0].contains("7.010 s, more than the 7.005 s"), "{:?}", late.reasons);
    record.taken_over_in_one = false;
    let resumed = judged(&from, &record);
    assert_eq!((resumed.verdict.verdict, resumed.notes.len()), (Judgement::Passed, 1));
}

#[test]
fn a_fault_has_fired_once_it_has_happened_and_as_it_happened() {
    let fired = |spoil: fn(&mut RunRecord)| {
        let mut record = sample::record();
        spoil(&mut record);
        let fault = judged(&sample::gathered(), &record).verdict.faults.remove(0);
        (fault.kind, fault.fired)
    };
    let planned = |record: &mut RunRecord| record.fault.as_mut().unwrap().happened = None;
    assert_eq!(fired(|_| ()), ("pause".to_owned(), true));
    assert_eq!(fired(planned), ("pause".to_owned(), false));
    // Killed with the drill between plan and deed, it is not started: that was no pause.
    let mut record = sample::record();
    planned(&mut record);
    assert!(record.what_a_crash_made_of_the_fault() && !record.what_a_crash_made_of_the_fault());
    assert_eq!(record.fault.unwrap().happened, Some(Dark::Kill));
}

#[test]
fn a_contradiction_outside_the_list_fails_too() {
    let judged = judge_gathered(&sample::gathered(), &sample::record(), vec!["the journal is cut".to_owned()], OFFSET);
    assert_eq!((judged.verdict.verdict, judged.reasons), (Judgement::Failed, vec!["the journal is cut".to_owned()]));
}

#[test]
fn a_bound_that_was_not_declared_is_said_and_a_move_that_was_not_measured_is_noted() {
    let mut from = sample::gathered();
    from.story.steps.retain(|fact| fact.step != "declare-exposure");
    let mut record = sample::record();
    assert_eq!(judged(&from, &record).notes.len(), 1, "a resumed run owes no bound");
    record.resumes = 0;
    assert_eq!(judged(&from, &record).verdict.verdict, Judgement::Inconclusive);
    let mut from = sample::gathered();
    from.told.acks.retain(|ack| ack.epoch < 3);
    assert_eq!(judged(&from, &sample::record()).notes.len(), 1);
}

#[test]
fn steps_are_timed_from_the_first_intent_and_matched_with_the_last() {
    let mut records: Vec<Record> = sample::records("plan", vec![("one", 1.0, 5.0, Facts::new())]);
    let mut again = records[1].clone();
    again.at = dcp_core::clock::Moment::from_nanos(3 * SECOND);
    records.insert(2, again);
    let story = Story::of(Home::West, &records);
    let fact = &story.steps[0];
    assert_eq!((fact.begun_ns, fact.intended_ns, fact.ended_ns), (SECOND, 3 * SECOND, 5 * SECOND));
    assert!(story.completed("plan") && !story.completed("other"));
    let open = Story::of(Home::West, &records[..3]);
    assert_eq!((open.steps[0].outcome, open.completed("plan")), ("intended", false));
}
