//! The drill by process, as a user runs it: the binary, folders, sockets, kills and bad input.
//!
//! `DRILL_MATRIX=full` crashes at every boundary of every step instead of eight of them;
//! `DRILL_SEED` places boundaries and kills elsewhere; `DRILL_TTL` gives leases more than a second
//! on a machine that is busy with other work.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod process_drill {
    /// Leases of drills that nobody gives more, in seconds.
    const TTL: f64 = 1.0;

    mod bad_data;
    mod boundaries;
    mod checker;
    mod dark;
    mod drill;
    mod evidence;
    mod folders;
    mod full_disk;
    mod kills;
    mod link_dark;
    mod planted;
    #[allow(dead_code, reason = "the drill on servers uses more of it")]
    mod processes;
    mod seeds;
}
