//! The driver's behaviour beyond the journal's clauses: failing and trying again, deadlines,
//! stopping, cancelling, superseding, checking.

#![allow(clippy::unwrap_used)] // A test that cannot go on says where.

#[path = "runbook_driver/support.rs"]
mod support;

use std::sync::Arc;
use std::time::Duration;

use dcp_core::clock::{Clock, TokioClock};
use dcp_core::error::{Error, ErrorKind, Failure};
use dcp_core::ids::RunId;
use dcp_core::ports::{Facts, Readiness, Taken};
use dcp_core::runbook::{Driver, Plan, RunEnd, RunResult, RunStatus};
use support::{Script, driver, plan, run};
use tokio_util::sync::CancellationToken;

async fn drive(driver: &Driver, plan: &Plan, script: &Script) -> Result<RunEnd, Error> {
    driver.open_run(&run(), plan).await.unwrap();
    driver.drive(&run(), script, &CancellationToken::new()).await
}

fn failed_with(end: &Result<RunEnd, Error>) -> (String, String) {
    match end {
        Ok(RunEnd::Failed { step, error }) => (step.to_string(), error.code().to_owned()),
        other => panic!("expected a failed step, got {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_step_leaves_the_run_open_and_is_tried_again() {
    let driver = driver().await;
    let script = Script::new();
    script.ready("b", Ok(Readiness::Refused("lease w is renewed".to_owned())));
    let end = drive(&driver, &plan(), &script).await;
    assert_eq!(failed_with(&end), ("b".to_owned(), "precondition".to_owned()));
    assert_eq!(driver.open_runs().await.unwrap(), [run()]);
    assert_eq!(script.acts("b"), 0);
    assert_eq!(drive(&driver, &plan(), &script).await.unwrap(), RunEnd::Done);
    assert_eq!((script.acts("a"), script.acts("b"), script.acts("c")), (1, 1, 1));
    assert_eq!(drive(&driver, &plan(), &script).await.unwrap(), RunEnd::Done, "a closed run answers its end");
}

#[tokio::test(start_paused = true)]
async fn facts_that_no_entry_holds_fail_the_step_and_not_the_drive() {
    let driver = driver().await;
    let script = Script::new();
    script.took("b", Ok(Taken::Yes(Facts::new().with("ends", &"x".repeat(500 << 10)).unwrap())));
    let end = drive(&driver, &plan(), &script).await;
    assert_eq!(failed_with(&end), ("b".to_owned(), "entry-too-large".to_owned()));
    assert_eq!(drive(&driver, &plan(), &script).await.unwrap(), RunEnd::Done, "it can be driven on");
}

#[tokio::test(start_paused = true)]
async fn not_yet_is_asked_again_until_the_deadline() {
    let driver = driver().await;
    let script = Script::new();
    for _ in 0..5 {
        script.ready("a", Ok(Readiness::NotYet("lease is running".to_owned())));
    }
    script.ready("b", Err(Error::retry("unreachable", "witness")));
    assert_eq!(drive(&driver, &plan(), &script).await.unwrap(), RunEnd::Done);

    let driver = support::driver().await;
    let script = Script::new();
    script.never_ready("b");
    let clock = TokioClock::new();
    let end = drive(&driver, &plan(), &script).await;
    assert_eq!(failed_with(&end), ("b".to_owned(), "step-deadline".to_owned()));
    let took = clock.now().since(dcp_core::clock::Moment::from_nanos(0));
    assert!(took >= Duration::from_millis(900) && took <= Duration::from_millis(1_100), "took {took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_act_in_doubt_is_probed_and_one_that_hangs_is_cut_at_the_deadline() {
    let driver = driver().await;
    let script = Script::new();
    script.act("a", true, Err(Failure::in_doubt("no-answer", "a")));
    script.act("b", false, Err(Failure::NotApplied(Error::retry("busy", "b"))));
    script.act("b", false, Err(Failure::in_doubt("no-answer", "b")));
    script.took("c", Ok(Taken::NotYet("under way".to_owned())));
    assert_eq!(drive(&driver, &plan(), &script).await.unwrap(), RunEnd::Done);
    assert_eq!((script.acts("a"), script.acts("b"), script.acts("c")), (1, 3, 1));

    let driver = support::driver().await;
    let script = Script::new();
    script.hangs("b");
    let end = drive(&driver, &plan(), &script).await;
    assert_eq!(failed_with(&end), ("b".to_owned(), "step-deadline".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_rule_at_the_resource_fails_the_step_with_its_error() {
    let driver = driver().await;
    let script = Script::new();
    script.act("b", false, Err(Failure::NotApplied(Error::fenced("stale", "b"))));
    let end = drive(&driver, &plan(), &script).await;
    assert_eq!(failed_with(&end), ("b".to_owned(), "stale".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_drive_leaves_the_run_open_and_goes_on_later() {
    let driver = driver().await;
    let script = Script::new();
    script.never_ready("b");
    driver.open_run(&run(), &plan()).await.unwrap();
    let stop = CancellationToken::new();
    let clock = TokioClock::new();
    let run_id = run();
    let (end, ()) = tokio::join!(driver.drive(&run_id, &script, &stop), async {
        clock.sleep(Duration::from_millis(100)).await;
        let second = driver.drive(&run_id, &script, &CancellationToken::new()).await;
        assert_eq!(second.unwrap_err().code(), "already-driven");
        stop.cancel();
    });
    assert_eq!(end.unwrap(), RunEnd::Stopped);
    script.ready_again("b");
    assert_eq!(drive(&driver, &plan(), &script).await.unwrap(), RunEnd::Done);
    assert_eq!(script.acts("a"), 1);
}

#[tokio::test(start_paused = true)]
async fn cancel_stops_the_drive_waits_and_undoes_in_reverse() {
    let driver = driver().await;
    let script = Script::new();
    script.never_ready("c");
    driver.open_run(&run(), &plan()).await.unwrap();
    let clock = TokioClock::new();
    let (run_id, stop) = (run(), CancellationToken::new());
    let (driven, cancelled) = tokio::join!(driver.drive(&run_id, &script, &stop), async {
        clock.sleep(Duration::from_millis(100)).await;
        driver.cancel(&run_id, "wrong region", &script, &CancellationToken::new()).await
    });
    assert_eq!(driven.unwrap(), RunEnd::Stopped);
    assert_eq!(cancelled.unwrap(), RunEnd::Cancelled);
    assert_eq!(script.log(), ["a", "b", "b.undo", "a.undo"]);
    assert_eq!(drive(&driver, &plan(), &script).await.unwrap(), RunEnd::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn an_irreversible_step_that_may_have_acted_forbids_cancelling() {
    let driver = driver().await;
    let script = Script::new();
    let plan = support::plan_with(|step| if step.id.as_str() == "b" { step.irreversible() } else { step });
    script.never_ready("c");
    let end = drive(&driver, &plan, &script).await;
    assert_eq!(failed_with(&end).0, "c");
    let refused = driver.cancel(&run(), "too late", &script, &CancellationToken::new()).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::Refused, "irreversible"));
    assert!(refused.message().contains("step b"), "{refused}");
    script.ready_again("c");
    assert_eq!(drive(&driver, &plan, &script).await.unwrap(), RunEnd::Done, "the run can still be driven on");
}

#[tokio::test(start_paused = true)]
async fn open_runs_are_superseded_but_for_one() {
    let driver = driver().await;
    let script = Script::new();
    let other = RunId::new("other").unwrap();
    script.never_ready("b");
    driver.open_run(&run(), &plan()).await.unwrap();
    driver.open_run(&other, &plan()).await.unwrap();
    let clock = TokioClock::new();
    let (run_id, stop) = (run(), CancellationToken::new());
    let (driven, superseded) = tokio::join!(driver.drive(&run_id, &script, &stop), async {
        clock.sleep(Duration::from_millis(50)).await;
        driver.supersede_open_runs(Some(&other)).await
    });
    assert_eq!((driven.unwrap(), superseded.unwrap()), (RunEnd::Stopped, vec![run()]));
    let state = driver.run_state(&run()).await.unwrap().unwrap();
    assert_eq!(state.status(), RunStatus::Closed(RunResult::Superseded));
    assert_eq!(driver.open_runs().await.unwrap(), [other]);
    assert_eq!(drive(&driver, &plan(), &script).await.unwrap(), RunEnd::Superseded);
}

#[tokio::test(start_paused = true)]
async fn check_asks_every_precondition_and_writes_nothing() {
    let driver = driver().await;
    let script = Script::new();
    script.ready("b", Ok(Readiness::Refused("lease w is renewed".to_owned())));
    script.ready("c", Err(Error::retry("unreachable", "witness")));
    let before = driver.journal().anchor().await.unwrap();
    let checks = driver.check(&run(), &plan(), &script).await.unwrap();
    let answers: Vec<_> = checks.into_iter().map(|check| check.readiness).collect();
    let refused = Ok(Readiness::Refused("lease w is renewed".to_owned()));
    assert_eq!(answers, [Ok(Readiness::Ready), refused, Err(Error::retry("unreachable", "witness"))]);
    assert_eq!(driver.journal().anchor().await.unwrap(), before);
    assert!(script.log().is_empty());
}

#[tokio::test(start_paused = true)]
async fn guards_are_prepared_before_anything_is_asked() {
    let driver = driver().await;
    let script = Script::new();
    script.fails_to_prepare(Failure::in_doubt("no-answer", "guard"));
    let end = drive(&driver, &plan(), &script).await;
    assert_eq!(end.unwrap_err().kind(), ErrorKind::Retry);
    assert!(script.log().is_empty());
    assert_eq!(drive(&driver, &plan(), &script).await.unwrap(), RunEnd::Done);
}

#[tokio::test(start_paused = true)]
async fn unknown_runs_and_large_entries_are_refused() {
    let driver = driver().await;
    let script = Script::new();
    let unknown = driver.drive(&run(), &script, &CancellationToken::new()).await.unwrap_err();
    assert_eq!(unknown.code(), "unknown-run");
    let large = Facts::new().with("text", &"x".repeat(500_000)).unwrap();
    let refused = driver.note("large", large).await.unwrap_err();
    assert_eq!(refused.code(), "entry-too-large");
    driver.note("small", Facts::new()).await.unwrap();
    assert_eq!(Arc::clone(driver.journal()).verify().await.unwrap().sequence, 2);
}
