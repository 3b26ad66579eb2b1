//! Which numbered clauses of which contract were shown for which implementation. Pure.

use std::collections::{BTreeMap, BTreeSet};

/// Contracts by the letter of their clauses.
const CONTRACTS: [(char, &str); 6] = [
    ('b', "BrokerAdmin"),
    ('e', "EventStore"),
    ('s', "StateStore"),
    ('g', "ResourceGuard"),
    ('l', "MirrorLink"),
    ('j', "Journal"),
];

/// The clauses of one contract that one implementation was asked for, by number, and whether each was passed.
type Asked = BTreeMap<u32, bool>;

/// By contract, what is shown of it (`Kind`), and implementation.
#[derive(Debug, Default)]
pub(crate) struct Clauses(BTreeMap<(&'static str, Kind, String), Asked>);

/// Clauses that hold, or planted defects that fail theirs and no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Hold,
    Defects,
}

/// One line of the table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) contract: &'static str,
    pub(crate) of: String,
    pub(crate) passed: usize,
    pub(crate) all: usize,
    /// Clauses that others were asked for and this one was not.
    pub(crate) without: Vec<String>,
}

impl Clauses {
    /// Takes in a test if its name is that of a clause: `event_store::e1_appends_are_read_back`.
    pub(crate) fn note(&mut self, target: &str, test: &str, passed: bool) {
        let Some(Clause { module, contract, number }) = clause(test) else { return };
        // `l4_finds_a_skipped_tail`: a planted defect that fails its clause and no other.
        let kind = if test.contains("_finds_") { Kind::Defects } else { Kind::Hold };
        let asked = self.0.entry((contract, kind, format!("{target} {module}"))).or_default();
        *asked.entry(number).or_insert(true) &= passed;
    }

    /// Adds what another stage has shown.
    pub(crate) fn absorb(&mut self, other: &Self) {
        for (key, asked) in &other.0 {
            let mine = self.0.entry(key.clone()).or_default();
            for (number, passed) in asked {
                *mine.entry(*number).or_insert(true) &= passed;
            }
        }
    }

    /// One row for each implementation.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row> {
        self.0.iter().map(|((contract, kind, of), asked)| {
            let others = self.0.iter().filter(|(other, _)| (other.0, other.1) == (*contract, *kind));
            let numbers: BTreeSet<u32> = others.flat_map(|(_, asked)| asked.keys().copied()).collect();
            let letter = CONTRACTS.iter().find(|(_, name)| name == contract).map_or('?', |(letter, _)| *letter);
            let lacking = numbers.into_iter().filter(|number| !asked.contains_key(number));
            let defects = if *kind == Kind::Defects { " (planted defects)" } else { "" };
            Row {
                contract,
                of: format!("{of}{defects}"),
                passed: asked.values().filter(|passed| **passed).count(),
                all: asked.len(),
                without: lacking.map(|number| format!("{}{number}", letter.to_ascii_uppercase())).collect(),
            }
        })
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Clause<'a> {
    module: &'a str,
    contract: &'static str,
    number: u32,
}

fn clause(test: &str) -> Option<Clause<'_>> {
    let (module, name) = test.rsplit_once("::")?;
    let (word, _) = name.split_once('_')?;
    let letter = word.chars().next()?;
    let number = word[letter.len_utf8()..].parse().ok()?;
    let contract = CONTRACTS.iter().find(|(of, _)| *of == letter)?.1;
    Some(Clause { module, contract, number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_clauses_by_their_names() {
        let of = |module, contract, number| Some(Clause { module, contract, number });
        assert_eq!(clause("memory::e12_reads_back"), of("memory", "EventStore", 12));
        assert_eq!(clause("a::b::g1_seals"), of("a::b", "ResourceGuard", 1));
        for other in ["e1_reads", "memory::every_read", "memory::e_1", "memory::z1_other", "memory::e1"] {
            assert_eq!(clause(other), None, "{other}");
        }
    }

    #[test]
    fn counts_by_implementation_and_names_what_one_was_not_asked_for() {
        let mut clauses = Clauses::default();
        for (target, test, passed) in [
            ("a", "memory::e1_x", true),
            ("a", "memory::e2_y", false),
            ("b", "disk::e2_y", true),
            ("b", "disk::e1_finds_z", true),
            ("b", "disk::s1_z", true),
        ] {
            clauses.note(target, test, passed);
        }
        let row = |contract, of: &str, passed, all, without: &[&str]| {
            let without = without.iter().map(ToString::to_string).collect();
            Row { contract, of: of.to_owned(), passed, all, without }
        };
        let rows: Vec<_> = clauses.rows().collect();
        assert_eq!(
            rows,
            [
                row("EventStore", "a memory", 1, 2, &[]),
                row("EventStore", "b disk", 1, 1, &["E1"]),
                row("EventStore", "b disk (planted defects)", 1, 1, &[]),
                row("StateStore", "b disk", 1, 1, &[]),
            ]
        );
    }
}
