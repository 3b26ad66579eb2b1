use super::*;
use dcp_core::digest::Digest;
use dcp_core::ports::LinkDesire;
use dcp_core::position::{Cut, Position};
use proptest::prelude::*;

fn log(partition: u32) -> LogId {
    LogId::new("orders".parse().unwrap(), "west".parse().unwrap(), partition)
}

fn prefix(count: u64) -> PrefixDigest {
    let record = Digest::of(b"record");
    (0..count).fold(PrefixDigest::EMPTY, |prefix, _| prefix.then(&record))
}

fn incarnation(byte: u8) -> LogIncarnation {
    LogIncarnation::from_bytes([byte; 16])
}

fn end(count: u64) -> LogEnd {
    let last = (count > 0).then(|| Position::from_store(incarnation(1), count));
    LogEnd { incarnation: incarnation(1), last, prefix: prefix(count) }
}

fn view(source: u64, applied: u64) -> LogView {
    let copied_from = (applied > 0).then(|| incarnation(1));
    LogView { source: end(source), applied: prefix(applied), copied_from, shared: Shared::Checked }
}

fn wanting(desire: LinkDesire) -> StoredState {
    StoredState { desire, ..StoredState::default() }
}

fn breach_of(stored: &StoredState, view: LogView) -> Option<Breach> {
    match decide(stored, &BTreeMap::from([(log(0), view)])) {
        Decision::Fail(divergence) => Some(divergence.breach),
        Decision::Rest | Decision::Copy(_) => None,
    }
}

#[test]
fn paused_and_failed_rest() {
    let observed = BTreeMap::from([(log(0), view(5, 2))]);
    assert_eq!(decide(&wanting(LinkDesire::paused()), &observed), Decision::Rest);
    let divergence = Divergence {
        log: log(0),
        breach: Breach::Shorter,
        source: prefix(1),
        mirror: prefix(2),
        detail: String::new(),
    };
    let failed = StoredState { failure: Some(divergence), ..StoredState::default() };
    assert_eq!(decide(&failed, &observed), Decision::Rest);
}

#[test]
fn active_copies_what_lags() {
    let observed = BTreeMap::from([(log(0), view(5, 2)), (log(1), view(3, 3)), (log(2), view(0, 0))]);
    let upto = BTreeMap::from([(log(0), 5)]);
    assert_eq!(decide(&StoredState::default(), &observed), Decision::Copy(upto));
}

#[test]
fn staging_copies_exactly_to_the_named_ends() {
    let cut = Cut::from_iter([(log(0), end(4)), (log(1), end(3))]);
    let observed = BTreeMap::from([(log(0), view(9, 2)), (log(1), view(9, 3)), (log(2), view(9, 0))]);
    let upto = BTreeMap::from([(log(0), 4)]);
    assert_eq!(decide(&wanting(LinkDesire::staging(cut)), &observed), Decision::Copy(upto));
}

#[test]
fn a_log_waits_for_its_prefix_to_be_compared() {
    let unchecked = LogView { shared: Shared::Unchecked, ..view(5, 2) };
    assert!(unchecked.needs_prefix());
    assert_eq!(decide(&StoredState::default(), &BTreeMap::from([(log(0), unchecked)])), Decision::Rest);
    let answered = LogView { shared: Shared::Answered(Some(prefix(2))), ..unchecked };
    let copies = decide(&StoredState::default(), &BTreeMap::from([(log(0), answered)]));
    assert_eq!(copies, Decision::Copy(BTreeMap::from([(log(0), 5)])));
}

#[test]
fn each_breach_is_told() {
    let active = StoredState::default();
    let other = PrefixDigest { digest: Digest::of(b"other"), ..prefix(2) };
    assert_eq!(breach_of(&active, view(1, 2)), Some(Breach::Shorter));
    let reborn = LogView { copied_from: Some(incarnation(2)), ..view(5, 2) };
    assert_eq!(breach_of(&active, reborn), Some(Breach::OtherIncarnation));
    let answered = LogView { shared: Shared::Answered(Some(other)), ..view(5, 2) };
    assert_eq!(breach_of(&active, answered), Some(Breach::OtherPrefix));
    assert_eq!(breach_of(&active, LogView { shared: Shared::Answered(None), ..view(5, 2) }), Some(Breach::Shorter));
    let mut same_count = view(2, 2);
    same_count.source.prefix = other;
    assert_eq!(breach_of(&active, same_count), Some(Breach::OtherPrefix));
    assert_eq!(breach_of(&wanting(LinkDesire::paused()), view(1, 2)), None);
}

#[test]
fn named_ends_that_do_not_fit_fail() {
    let staging = |end| wanting(LinkDesire::staging(Cut::from_iter([(log(0), end)])));
    assert_eq!(breach_of(&staging(end(7)), view(5, 2)), Some(Breach::Shorter));
    let mut other = end(2);
    other.prefix.digest = Digest::of(b"other");
    assert_eq!(breach_of(&staging(other), view(5, 2)), Some(Breach::OtherPrefix));
    let reborn = LogEnd { incarnation: incarnation(2), ..end(4) };
    assert_eq!(breach_of(&staging(reborn), view(5, 2)), Some(Breach::OtherIncarnation));
    assert_eq!(breach_of(&staging(end(4)), view(5, 2)), None);
}

#[test]
fn a_divergence_names_both_digests() {
    let Decision::Fail(divergence) = decide(&StoredState::default(), &BTreeMap::from([(log(0), view(1, 2))])) else {
        panic!("a shorter source must fail");
    };
    let sentence = divergence.to_string();
    assert!(sentence.contains(&prefix(1).digest.to_string()), "{sentence}");
    assert!(sentence.contains(&prefix(2).digest.to_string()), "{sentence}");
}

proptest! {
    /// Whatever is observed, nothing beyond the source's end or a named end is ever copied.
    #[test]
    fn never_beyond(ends in prop::collection::vec((0_u64..20, 0_u64..20, prop::option::of(0_u64..20)), 1..5)) {
        let mut observed = BTreeMap::new();
        let mut cut = Cut::new();
        for (index, (source, applied, named)) in ends.iter().enumerate() {
            let log = log(u32::try_from(index).unwrap());
            observed.insert(log.clone(), view(*source, *applied));
            if let Some(named) = named {
                cut.insert(log, end(*named));
            }
        }
        if let Decision::Copy(upto) = decide(&wanting(LinkDesire::staging(cut.clone())), &observed) {
            for (log, count) in upto {
                prop_assert_eq!(Some(count), cut.get(&log).map(|end| end.prefix.count));
                prop_assert!(count <= observed[&log].source.prefix.count && count > observed[&log].applied.count);
            }
        }
    }

    #[test]
    fn shares_keep_the_allowance_and_starve_nobody(
        lags in prop::collection::vec(1_u64..5_000, 1..12),
        allowance in 0_u64..3_000,
        turn in 0_usize..50,
    ) {
        let lag: BTreeMap<_, _> = lags.iter().enumerate().map(|(i, lag)| (log(u32::try_from(i).unwrap()), *lag)).collect();
        let shares = share_out(&lag, 1_000, Some(allowance), turn);
        prop_assert!(shares.iter().map(|(_, share)| share).sum::<u64>() <= allowance);
        prop_assert!(shares.iter().all(|(log, share)| *share <= lag[log].min(1_000) && *share > 0));
        if allowance > 0 {
            prop_assert_eq!(&shares[0].0, &log(u32::try_from(turn % lags.len()).unwrap()));
        }
        prop_assert_eq!(share_out(&lag, 1_000, None, turn).len(), lag.len());
    }
}

#[test]
fn companions_are_not_throttled() {
    let companion = LogId::heartbeats(log(0).scope(), log(0).origin()).unwrap();
    let lag = BTreeMap::from([(log(0), 9), (companion.clone(), 3)]);
    assert_eq!(share_out(&lag, 1_000, Some(0), 0), [(companion, 3)]);
}
