//! Which numbered clauses of which contract were shown for which implementation. Pure.

use std::collections::BTreeMap;

/// Contracts by the letter of their clauses.
const CONTRACTS: [(char, &str); 6] = [
    ('b', "BrokerAdmin"),
    ('e', "EventStore"),
    ('s', "StateStore"),
    ('g', "ResourceGuard"),
    ('l', "MirrorLink"),
    ('j', "Journal"),
];

/// Passed and all clauses, by contract and implementation.
#[derive(Debug, Default)]
pub(crate) struct Clauses(BTreeMap<(&'static str, String), (u64, u64)>);

impl Clauses {
    /// Takes in a test if its name is that of a clause: `event_store::e1_appends_are_read_back`.
    pub(crate) fn note(&mut self, target: &str, test: &str, passed: bool) {
        let Some((module, contract)) = clause(test) else { return };
        // `l4_finds_a_skipped_tail`: a planted defect that fails its clause and no other.
        let of = if test.contains("_finds_") { " (planted defects)" } else { "" };
        let (shown, all) = self.0.entry((contract, format!("{target} {module}{of}"))).or_default();
        *shown += u64::from(passed);
        *all += 1;
    }

    /// Adds what another stage has shown.
    pub(crate) fn absorb(&mut self, other: &Self) {
        for (key, (shown, all)) in &other.0 {
            let mine = self.0.entry(key.clone()).or_default();
            *mine = (mine.0 + shown, mine.1 + all);
        }
    }

    /// Contract, implementation, passed clauses, all clauses.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&str, &str, u64, u64)> {
        self.0.iter().map(|((contract, of), (shown, all))| (*contract, of.as_str(), *shown, *all))
    }
}

fn clause(test: &str) -> Option<(&str, &'static str)> {
    let (module, name) = test.rsplit_once("::")?;
    let (number, _) = name.split_once('_')?;
    let letter = number.chars().next()?;
    let digits = &number[letter.len_utf8()..];
    let numbered = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let contract = CONTRACTS.iter().find(|(of, _)| *of == letter)?.1;
    numbered.then_some((module, contract))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_clauses_by_their_names() {
        assert_eq!(clause("memory::e12_reads_back"), Some(("memory", "EventStore")));
        assert_eq!(clause("a::b::g1_seals"), Some(("a::b", "ResourceGuard")));
        for other in ["e1_reads", "memory::every_read", "memory::e_1", "memory::z1_other", "memory::e1"] {
            assert_eq!(clause(other), None, "{other}");
        }
    }

    #[test]
    fn counts_by_implementation() {
        let mut clauses = Clauses::default();
        clauses.note("a", "memory::e1_x", true);
        clauses.note("a", "memory::e2_y", false);
        assert_eq!(clauses.rows().collect::<Vec<_>>(), [("EventStore", "a memory", 1, 2)]);
    }
}
