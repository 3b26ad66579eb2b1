//! The journal's contract over the memory model of a state store.

use std::sync::Arc;

use async_trait::async_trait;
use dcp_core::journal_conformance;
use dcp_core::memory::MemoryStateStore;
use dcp_core::ports::StateStore;
use dcp_core::testing::failing;
use dcp_core::testing::journal::{JournalFixture, clauses, defects};

#[derive(Debug)]
struct MemoryFixture(Arc<MemoryStateStore>);

#[async_trait]
impl JournalFixture for MemoryFixture {
    async fn start() -> Self {
        Self(Arc::new(MemoryStateStore::new()))
    }

    fn store(&self) -> Arc<dyn StateStore> {
        self.0.clone()
    }

    async fn crash(&mut self) {
        self.0.crash();
        self.0.reopen();
    }
}

journal_conformance!(memory, MemoryFixture);

macro_rules! planted {
    ($($test:ident: $defect:ident fails $clause:literal;)*) => {
        $(
            #[tokio::test]
            async fn $test() {
                let failing = failing(&clauses::<defects::Broken<defects::$defect, MemoryFixture>>()).await;
                assert_eq!(failing, [$clause]);
            }
        )*
    };
}

planted! {
    a_journal_without_sync: WithoutSync fails "J1";
    an_act_before_the_intent: ActsBeforeIntent fails "J2";
    an_unchecked_chain: ChainUnchecked fails "J3";
    an_unconditional_head: HeadUnconditional fails "J4";
    a_blind_repeat: RepeatsBlindly fails "J5";
    unchecked_signatures: SignaturesUnchecked fails "J6";
    a_rewritten_history: RewritesHistory fails "J7";
    an_unpinned_plan: PlanUnpinned fails "J8";
    a_nonce_drawn_again: RedrawsNonce fails "J9";
    forgotten_facts: ForgetsFacts fails "J10";
    a_probe_that_ignores_the_nonce: IgnoresNonce fails "J11";
}
