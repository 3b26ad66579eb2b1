//! Clauses L1 to L10, and the defects that they find.

use dcp_core::testing::failing;
use dcp_core::testing::mirror_link::clauses;

use crate::plain_link::{Flaw, PlainFixture, Planted};
use crate::store_fixture::StoreFixture;

struct Sound;

impl Planted for Sound {
    const FLAW: Flaw = Flaw::None;
}

type SoundFixture = PlainFixture<Sound>;

dcp_core::mirror_link_conformance!(store, StoreFixture);
dcp_core::mirror_link_conformance!(plain, SoundFixture);

macro_rules! defects {
    ($($name:ident $flaw:ident $clause:literal)*) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $name() {
                struct Defect;
                impl Planted for Defect {
                    const FLAW: Flaw = Flaw::$flaw;
                }
                assert_eq!(failing(&clauses::<PlainFixture<Defect>>()).await, [$clause]);
            }
        )*
    };
}

defects! {
    l1_finds_a_lossy_copy DropsHeaders "L1"
    l2_finds_a_cursor_outside_of_the_batch CursorApart "L2"
    l3_finds_a_pause_forgotten_at_restart ForgetsPause "L3"
    l4_finds_a_skipped_tail SkipsTail "L4"
    l5_finds_a_link_that_compares_nothing ComparesNothing "L5"
    l6_finds_a_worker_that_fences_back FencesBack "L6"
    l7_finds_lag_by_the_clock_of_the_source SourceClock "L7"
    l8_finds_forgotten_terms ForgetsTerms "L8"
    l9_finds_foreign_origins ForeignOrigins "L9"
    l10_finds_a_link_that_ends_with_its_store EndsWithItsStore "L10"
}
