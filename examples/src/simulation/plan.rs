//! Story plans: what goes wrong in a story, as data with a name. How the first region goes dark is a fault
//! plan, the same value that real servers are hurt by.

use dcp_core::ports::failpoints::points;
use dcp_core::testing::faults::{FaultKind, FaultPlan};

pub use super::failpoints::CrashAt;
use crate::orders::Home;

/// The first region's process stops and goes on later.
const PAUSE: &str = "0ms pause eu-west-2";
/// It ends and is started again later.
const KILL: &str = "0ms kill eu-west-2";
/// It lives, and can reach neither the other region nor the witness.
const CUT: &str = "0ms cut eu-west-2 -> eu-central-1; 0ms cut eu-central-1 -> eu-west-2; \
    0ms cut eu-west-2 -> witness; 0ms cut witness -> eu-west-2";

/// Until when the append that was held is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum HeldUntil {
    /// The region is awake again.
    Awake,
    /// The region is being sealed.
    Sealing,
}

/// What goes wrong in one story.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct StoryPlan {
    /// Its name.
    pub name: &'static str,
    /// Lines of the data.
    pub lines: u64,
    /// How the first region goes dark, from the moment on at which it does; empty: it does not. What the plan
    /// leaves hurt is taken back when the region returns.
    pub dark: FaultPlan,
    /// The failpoint at which one append is held over the fault.
    pub held_at: Option<&'static str>,
    /// Until when.
    pub held_until: HeldUntil,
    /// An append is staged and not synced when the region ends.
    pub unsynced: bool,
    /// Answers of the first region to its producer are lost for a while, before the fault.
    pub answers_lost: bool,
    /// The returning region reaches nobody yet when its stale mandates are tried.
    pub returns_isolated: bool,
    /// The first claim of the takeover meets a rival's of the same epoch, and is not answered.
    pub claim_race: bool,
    /// After it has rejoined, the returned region's process ends and starts again.
    pub ends_after_rejoin: bool,
    /// Whether the slices go home.
    pub homecoming: bool,
    /// A process ends at a boundary of a step.
    pub crash: Option<(Home, CrashAt)>,
}

impl StoryPlan {
    /// The plan that each of the others differs from in what it names.
    #[must_use]
    pub fn pause_in_append() -> Self {
        Self {
            name: "pause-in-append",
            lines: 1_000,
            dark: dark(PAUSE),
            held_at: Some(points::APPEND_CHECKED),
            held_until: HeldUntil::Awake,
            unsynced: false,
            answers_lost: false,
            returns_isolated: false,
            claim_race: false,
            ends_after_rejoin: false,
            homecoming: true,
            crash: None,
        }
    }

    fn killed(name: &'static str) -> Self {
        let held_at = Some(points::APPEND_COMMITTED);
        Self { name, dark: dark(KILL), held_at, ..Self::pause_in_append() }
    }

    /// Every plan with a name.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let base = Self::pause_in_append;
        let at_takeover = CrashAt { step: "take-ownership".to_owned(), point: points::STEP_OUTCOME, after: 0 };
        vec![
            base(),
            Self::killed("kill"),
            Self { name: "cut", dark: dark(CUT), ..base() },
            Self { name: "kill-at-takeover", crash: Some((Home::Central, at_takeover)), ..base() },
            Self { unsynced: true, ..Self::killed("crash-after-commit-before-sync") },
            Self { name: "slow-append-across-seal", held_until: HeldUntil::Sealing, ..base() },
            Self { name: "claim-race", claim_race: true, ..base() },
            Self { ends_after_rejoin: true, ..Self::killed("deposed-process-returns") },
            Self { returns_isolated: true, ..Self::killed("restart-closed") },
            Self { name: "tail-on-return", homecoming: false, ..base() },
            Self { name: "answer-lost-and-sent-again", answers_lost: true, ..base() },
            Self { name: "no-blackout", dark: FaultPlan::default(), held_at: None, ..base() },
        ]
    }

    /// The plan of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|plan| plan.name == name)
    }

    /// The first region loses its process on the way.
    pub(super) fn is_killed(&self) -> bool {
        self.dark.faults().iter().any(|fault| matches!(fault.kind, FaultKind::Kill { .. }))
    }

    /// The first region lives on its own for a while.
    pub(super) fn is_cut_off(&self) -> bool {
        self.dark.faults().iter().any(|fault| matches!(fault.kind, FaultKind::Cut { .. }))
    }

    /// The same with the first region going dark in another way.
    #[must_use]
    pub fn going_dark_by(self, dark: FaultPlan) -> Self {
        Self { dark, ..self }
    }

    /// The same over fewer or more lines.
    #[must_use]
    pub fn over(self, lines: u64) -> Self {
        Self { lines, ..self }
    }

    /// With the crash that a replay line names: `REGION:STEP:POINT`.
    #[must_use]
    pub fn crashing_as_named(self, name: &str) -> Option<Self> {
        let mut parts = name.split(':');
        let (region, step, point) = (parts.next()?, parts.next()?, parts.next()?);
        let home = Home::ALL.into_iter().find(|home| home.region() == region)?;
        let points = [points::STEP_INTENT, points::STEP_ACTED, points::STEP_OUTCOME];
        let point = points.into_iter().find(|known| *known == point)?;
        Some(self.crashing(home, CrashAt { step: step.to_owned(), point, after: 0 }))
    }

    /// With a process that ends at a boundary of a step.
    #[must_use]
    pub fn crashing(self, home: Home, crash: CrashAt) -> Self {
        Self { crash: Some((home, crash)), ..self }
    }
}

fn dark(line: &str) -> FaultPlan {
    // The lines are the three constants above; each story tells one of them, and a test parses all.
    #[allow(clippy::expect_used)]
    line.parse().expect("a constant that is a plan")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_go_dark_is_a_plan_that_can_be_undone() {
        let undone = [PAUSE, KILL, CUT].map(|line| dark(line).undone().faults().len());
        assert_eq!(undone, [1, 1, 4]);
    }
}
