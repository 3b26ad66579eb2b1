//! One invariant, checked many times.

use crate::verdict::Invariant;

/// Counts checks and keeps the first violation.
#[derive(Debug, Clone, Default)]
pub(super) struct Checks {
    checked: u64,
    violated: u64,
    first: Option<String>,
}

impl Checks {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// One check; `what` says what is wrong, with the place.
    pub(super) fn check(&mut self, held: bool, what: impl FnOnce() -> String) {
        self.checked += 1;
        if !held {
            self.violated += 1;
            self.first.get_or_insert_with(what);
        }
    }

    /// Checks that were all passed, counted at once.
    pub(super) fn passed(&mut self, times: u64) {
        self.checked += times;
    }

    /// What became of it. Never checked is not held.
    pub(super) fn finding(self, id: &str, statement: &str) -> Finding {
        let held = self.checked > 0 && self.violated == 0;
        let violation = self.first.map(|first| format!("{id} violated {} times, first: {first}", self.violated));
        let invariant = Invariant { id: id.to_owned(), statement: statement.to_owned(), held, checked: self.checked };
        Finding { invariant, violation }
    }
}

/// What became of an invariant.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    /// As the verdict lists it.
    pub(super) invariant: Invariant,
    /// The first violation in words; none if there was none, which is not yet "held".
    pub(super) violation: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_checked_is_neither_held_nor_violated() {
        let finding = Checks::new().finding("F1", "always");
        assert!(!finding.invariant.held && finding.violation.is_none());
    }

    #[test]
    fn one_violation_among_many_is_kept_with_its_place() {
        let mut checks = Checks::new();
        (0..5).for_each(|number| checks.check(number != 3, || format!("at {number}")));
        let finding = checks.finding("F1", "always");
        assert_eq!((finding.invariant.held, finding.invariant.checked), (false, 5));
        assert_eq!(finding.violation.unwrap(), "F1 violated 1 times, first: at 3");
    }
}
