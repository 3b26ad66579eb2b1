//! The clauses of a contract as cases.

use std::fmt;

use dcp_core::testing::{Clause, ClauseFuture, Violation};

use super::Case;

/// Clauses by the names that their cases have, kept for as long as the run.
pub struct Clauses(Vec<(String, Box<dyn Fn()>)>);

impl fmt::Debug for Clauses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Clauses {
    /// A table, named as the contract's macro would name it in a module of that name, each clause run to its
    /// end by `block_on`.
    ///
    /// # Panics
    /// A case does, as any test that fails, for a clause that is not kept.
    #[must_use]
    pub fn new(module: &str, table: Vec<Clause>, block_on: fn(ClauseFuture) -> Result<(), Violation>) -> Self {
        let case = |clause: Clause| {
            let run: Box<dyn Fn()> = Box::new(move || {
                if let Err(violation) = block_on((clause.run)()) {
                    panic!("{} ({}): {violation}", clause.id, clause.demands);
                }
            });
            (name(module, &clause), run)
        };
        Self(table.into_iter().map(case).collect())
    }

    /// One case for each.
    #[must_use]
    pub fn cases(&self, needs: &'static [&'static str]) -> Vec<Case<'_>> {
        self.0.iter().map(|(name, run)| Case { name, needs, run }).collect()
    }
}

// `kafka::e1_what_append_answered_is_read_back`.
fn name(module: &str, clause: &Clause) -> String {
    let words = clause.demands.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    format!("{module}::{}_{}", clause.id.to_lowercase(), words.join("_").to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clause_is_a_case() {
        let kept = Clause { id: "X1", demands: "It holds, in each case.", run: || Box::pin(async { Ok(()) }) };
        let broken =
            Clause { id: "X2", demands: "Nothing's lost", run: || Box::pin(async { Err(Violation("lost".into())) }) };
        let clauses = Clauses::new("here", vec![kept, broken], |run| {
            tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run)
        });
        let cases = clauses.cases(&[]);
        assert_eq!(
            cases.iter().map(|case| case.name).collect::<Vec<_>>(),
            ["here::x1_it_holds_in_each_case", "here::x2_nothing_s_lost"]
        );
        (cases[0].run)();
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(cases[1].run)).unwrap_err();
        assert_eq!(failed.downcast_ref::<String>().unwrap(), "X2 (Nothing's lost): lost");
    }
}
