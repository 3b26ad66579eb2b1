//! Each planted defect breaks its own clause and no other.
#![cfg(feature = "test-util")]

use dcp_core::testing::defects::broker_admin as admin;
use dcp_core::testing::defects::event_store as events;
use dcp_core::testing::defects::state_store as state;
use dcp_core::testing::{broker_admin, event_store, failing, state_store};

macro_rules! breaks {
    ($($name:ident: $flaw:ident of $module:ident breaks $clause:literal;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                assert_eq!(failing(&breaks!(@clauses $module $flaw)).await, [$clause]);
            }
        )*
    };
    (@clauses admin $flaw:ident) => { broker_admin::clauses::<admin::FlawedAdmin<admin::$flaw>>() };
    (@clauses events $flaw:ident) => { event_store::clauses::<events::FlawedEvents<events::$flaw>>() };
    (@clauses state $flaw:ident) => { state_store::clauses::<state::FlawedState<state::$flaw>>() };
}

breaks! {
    b1_defaults_described: DescribesDefaults of admin breaks "B1";
    b2_fails_where_it_is_there: FailsWhereItIsThere of admin breaks "B2";
    b3_makes_up_to_the_refused: MakesUpToTheRefused of admin breaks "B3";
    b4_settings_replaced: ReplacesSettings of admin breaks "B4";
    b5_described_and_made: MakesWhatIsDescribed of admin breaks "B5";
    b6_forgotten_in_a_crash: ForgetsInACrash of admin breaks "B6";
    b7_partitions_corrected: CorrectsPartitions of admin breaks "B7";
    e1_base_offset: AnswersBaseOffset of events breaks "E1";
    e2_versions_per_log: VersionsPerLog of events breaks "E2";
    e3_partial_batch: WritesUpToTheConflict of events breaks "E3";
    e4_deduplication_by_version_alone: DedupesByVersionAlone of events breaks "E4";
    e5_cursor_on_its_own: CursorOnItsOwn of events breaks "E5";
    e6_acknowledged_before_sync: AcknowledgesBeforeSync of events breaks "E6";
    e7_volatile_fence: VolatileFence of events breaks "E7";
    e8_fenced_writer_reopens: ReopensWhenFenced of events breaks "E8";
    e9_seal_without_draining: SealsWithoutDraining of events breaks "E9";
    e9_append_lands_after_the_seal: LandsAfterTheSeal of events breaks "E9";
    e10_late_role_check: LateRoleCheck of events breaks "E10";
    e11_mirror_looks_ids_up: DedupesCopies of events breaks "E11";
    e12_cancelled_read_loses: LosesCancelledReads of events breaks "E12";
    e13_foreign_position_read_from_start: ReadsForeignPositionsFromStart of events breaks "E13";
    e14_prefix_of_another_length: IgnoresPrefixLength of events breaks "E14";
    e15_commits_counted_from_opening: CountsCommitsFromOpening of events breaks "E15";
    e16_cursor_cut_to_the_bound: AcceptsLongCursors of events breaks "E16";
    s1_cached_reads: CachesReads of state breaks "S1";
    s2_torn_commit: TearsCommits of state breaks "S2";
    s3_deleted_taken_for_unchanged: TakesDeletedForUnchanged of state breaks "S3";
    s4_revision_counted_from_entries: CountsRevisionsFromEntries of state breaks "S4";
    s5_scan_repeats_a_key: ScansTheLastKeyAgain of state breaks "S5";
    s6_answered_before_sync: CommitsBeforeSync of state breaks "S6";
    s7_check_then_act: ChecksThenActs of state breaks "S7";
    s8_value_cut_to_the_bound: AcceptsLargeValues of state breaks "S8";
}
