use super::*;
use dcp_core::digest::Digest;
use dcp_core::position::{Cut, LogEnd, LogIncarnation};
use proptest::prelude::*;

fn link() -> LinkId {
    "west-east".parse().unwrap()
}

fn key(step: &str) -> OperationKey {
    OperationKey { run: "run".parse().unwrap(), step: step.parse().unwrap() }
}

fn term(issuer: &str, revision: u64) -> Term {
    Term { issuer: issuer.parse().unwrap(), holder: "plane".parse().unwrap(), revision }
}

fn apply(stored: &StoredState, step: &str, term: &Term, desire: LinkDesire) -> Result<Option<StoredState>, Error> {
    change(&link(), stored, &key(step), term, &Change::Desire(desire))
}

#[test]
fn a_link_copies_while_nothing_is_stored() {
    assert_eq!(StoredState::default().effective(), LinkState::Active);
}

#[test]
fn lower_terms_of_one_issuer_are_fenced() {
    let paused = apply(&StoredState::default(), "a", &term("east", 5), LinkDesire::paused()).unwrap().unwrap();
    let error = apply(&paused, "b", &term("east", 4), LinkDesire::active()).unwrap_err();
    assert_eq!((error.kind(), error.code()), (dcp_core::ErrorKind::Fenced, "stale-term"));
    assert!(apply(&paused, "b", &term("east", 5), LinkDesire::active()).unwrap().is_some());
    // Terms of different issuers do not compare.
    assert!(apply(&paused, "b", &term("west", 1), LinkDesire::active()).unwrap().is_some());
}

#[test]
fn a_repeated_operation_changes_nothing() {
    let paused = apply(&StoredState::default(), "a", &term("east", 5), LinkDesire::paused()).unwrap().unwrap();
    assert_eq!(apply(&paused, "a", &term("east", 5), LinkDesire::paused()).unwrap(), None);
}

#[test]
fn a_failure_outweighs_desires_until_it_is_released() {
    let failure = Divergence {
        log: "orders@west/0".parse().unwrap(),
        breach: crate::decide::Breach::Shorter,
        source: PrefixDigest::EMPTY,
        mirror: PrefixDigest::EMPTY.then(&Digest::of(b"a")),
        detail: String::new(),
    };
    let failed = StoredState { failure: Some(failure), ..StoredState::default() };
    let still = apply(&failed, "a", &term("east", 1), LinkDesire::active()).unwrap().unwrap();
    assert_eq!(still.effective(), LinkState::Failed);
    let released = change(&link(), &still, &key("b"), &term("east", 1), &Change::Release).unwrap().unwrap();
    assert_eq!(released.effective(), LinkState::Active);
}

#[test]
fn desires_are_checked() {
    let log: LogId = "orders@west/0".parse().unwrap();
    let end = LogEnd { incarnation: LogIncarnation::from_bytes([0; 16]), last: None, prefix: PrefixDigest::EMPTY };
    let staging = LinkDesire::staging(Cut::from_iter([(log, end)]));
    let mut bare = LinkDesire::active();
    bare.state = LinkState::ReadOnlyStaging;
    let mut failed = LinkDesire::active();
    failed.state = LinkState::Failed;
    for bad in [bare, failed] {
        assert_eq!(check_desire(&link(), &bad, |_| true).unwrap_err().code(), "bad-desire");
    }
    assert_eq!(check_desire(&link(), &staging, |_| false).unwrap_err().code(), "unknown-log");
    assert!(check_desire(&link(), &staging, |_| true).is_ok());
}

#[test]
fn reached_wants_the_named_digest() {
    let log: LogId = "orders@west/0".parse().unwrap();
    let two = PrefixDigest::EMPTY.then(&Digest::of(b"a")).then(&Digest::of(b"b"));
    let end = LogEnd { incarnation: LogIncarnation::from_bytes([0; 16]), last: None, prefix: two };
    let staging =
        StoredState { desire: LinkDesire::staging(Cut::from_iter([(log.clone(), end)])), ..StoredState::default() };
    let at = |prefix| BTreeMap::from([(log.clone(), prefix)]);
    assert!(reached(&staging, &at(two)));
    assert!(!reached(&staging, &BTreeMap::new()));
    assert!(!reached(&staging, &at(PrefixDigest { count: 1, ..two })));
    assert!(!reached(&staging, &at(PrefixDigest { count: 2, digest: Digest::ZERO })));
    assert!(!reached(&StoredState::default(), &at(two)));
}

#[test]
fn the_stored_form_is_read_back() {
    let stored = apply(&StoredState::default(), "a", &term("east", 5), LinkDesire::paused()).unwrap().unwrap();
    let text = serde_json::to_string(&stored).unwrap();
    assert_eq!(
        text,
        r#"{"desire":{"state":"paused","until":null},"operation":{"run":"run","step":"a"},"terms":{"east":5},"failure":null}"#
    );
    assert_eq!(serde_json::from_str::<StoredState>(&text).unwrap(), stored);
}

proptest! {
    /// Whatever is asked in whatever order, the terms seen never go down.
    #[test]
    fn terms_never_go_down(asked in prop::collection::vec((0_u64..9, any::<bool>(), any::<bool>()), 1..60)) {
        let mut stored = StoredState::default();
        for (index, (revision, east, pause)) in asked.into_iter().enumerate() {
            let term = term(if east { "east" } else { "west" }, revision);
            let desire = if pause { LinkDesire::paused() } else { LinkDesire::active() };
            let seen = stored.terms.get(&term.issuer).copied();
            match apply(&stored, &format!("s{index}"), &term, desire) {
                Ok(Some(next)) => {
                    prop_assert!(seen.is_none_or(|seen| revision >= seen));
                    stored = next;
                }
                Ok(None) => {}
                Err(_) => prop_assert!(seen.is_some_and(|seen| revision < seen)),
            }
        }
    }
}
