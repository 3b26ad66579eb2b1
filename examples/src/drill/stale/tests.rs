use dcp_core::InDoubt;

use super::*;

fn refused(code: &'static str) -> Result<(), Failure> {
    Err(Failure::NotApplied(Error::refused(code, "no")))
}

#[test]
fn attempts_that_were_not_refused_as_stale_are_made_up_for() {
    let mut report = StaleReport::default();
    assert_eq!(report.wanted("append"), ATTEMPTS);
    (0..ATTEMPTS).for_each(|_| report.note("append", Some(1), &refused("closed")));
    assert_eq!(report.wanted("append"), ATTEMPTS);
    (0..ATTEMPTS - 1).for_each(|_| report.note("append", Some(1), &refused("lease-run-out")));
    assert_eq!(report.wanted("append"), 1);
    report.note("append", Some(1), &refused("stale"));
    assert_eq!(report.wanted("append"), 0);
    assert_eq!(report.writes[0].refused_as_stale(), ATTEMPTS);
    assert_eq!(report.writes[0].reasons["closed"], ATTEMPTS);
    // A region that never answers is not asked for ever, one that lets something in is not asked again.
    (0..ATTEMPTS_MAX).for_each(|_| report.note("guard", None, &refused("not-reached")));
    assert_eq!(report.wanted("guard"), 0);
    report.note("switchover", None, &Ok(()));
    assert_eq!((report.wanted("switchover"), report.accepted.len()), (0, 1));
}

#[test]
fn lines_in_doubt_are_named_and_a_resource_tried_again_is_counted_once() {
    let mut report = StaleReport::default();
    report.note("append", Some(7), &Err::<(), _>(Failure::InDoubt(InDoubt::new("no-answer", "?"))));
    report.note("guard", None, &refused("stale"));
    let mut again = StaleReport::default();
    again.note("guard", None, &refused("stale"));
    report.merge(again);
    let counts: Vec<_> = report.writes.iter().map(|writes| (writes.resource.as_str(), writes.attempted)).collect();
    assert_eq!(counts, [("append", 1), ("guard", 1)]);
    assert_eq!(report.doubtful_lines, BTreeSet::from([7]));
}
