use super::*;
use proptest::prelude::*;

/// What becomes of one renewal.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Answered,
    /// It takes effect; the region does not learn it, then reads the lease.
    AnswerLost,
    /// It never reaches the witness.
    Lost,
    /// The process ends between the commit of the mark and the sending.
    Crash,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![Just(Fate::Answered), Just(Fate::AnswerLost), Just(Fate::Lost), Just(Fate::Crash)]
}

fn mark(number: usize) -> Digest {
    Digest::of(&number.to_be_bytes())
}

proptest! {
    #[test]
    fn a_sound_store_is_never_refused_and_one_that_went_back_always(
        fates in prop::collection::vec(fate(), 1..40),
        back_to in any::<prop::sample::Index>(),
    ) {
        let (mut held, mut remembered) = (None, None);
        // The store as it was before each renewal.
        let mut backups = Vec::new();
        for (number, fate) in fates.iter().enumerate() {
            backups.push(held);
            let presented = next(held, remembered, mark(number));
            prop_assert!(presented.is_some(), "{held:?} cannot show {remembered:?}");
            let shown = held.map(Marks::all).unwrap_or_default();
            prop_assert!(remembered.is_none_or(|mark| shown.contains(&mark)));
            held = presented;
            if matches!(fate, Fate::Answered | Fate::AnswerLost) {
                remembered = presented.map(|marks| marks.pending);
            }
        }
        let back_to = back_to.index(backups.len());
        let effects = fates[back_to..].iter().filter(|fate| matches!(fate, Fate::Answered | Fate::AnswerLost)).count();
        let accepted = next(backups[back_to], remembered, mark(1_000)).is_some();
        match effects {
            0 => prop_assert!(accepted, "refused, and the witness has heard nothing since"),
            // A mark that was sent in vain before the backup may be the one that then took effect.
            1 => {}
            _ => prop_assert!(!accepted, "{:?} passes for {remembered:?}", backups[back_to]),
        }
    }
}

#[test]
fn a_blank_store_is_refused_unless_nothing_is_remembered() {
    assert_eq!(next(None, Some(mark(1)), mark(2)), None);
    assert_eq!(next(None, None, mark(2)), Some(Marks { answered: None, pending: mark(2) }));
}
