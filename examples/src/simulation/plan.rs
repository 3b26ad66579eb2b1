//! Fault plans: what happens to the regions and when, as data with a name.

use dcp_core::ports::failpoints::points;

pub use super::failpoints::CrashAt;
use crate::orders::Home;

/// How the first region goes dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Dark {
    /// Its process stops and goes on later.
    Pause,
    /// Its process ends and is started again later.
    Kill,
    /// It lives, and can reach neither the other region nor the witness.
    Cut,
}

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
pub struct FaultPlan {
    /// Its name.
    pub name: &'static str,
    /// Lines of the data.
    pub lines: u64,
    /// How the first region goes dark; none: it does not.
    pub dark: Option<Dark>,
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

impl FaultPlan {
    /// The plan that each of the others differs from in what it names.
    #[must_use]
    pub fn pause_in_append() -> Self {
        Self {
            name: "pause-in-append",
            lines: 1_000,
            dark: Some(Dark::Pause),
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
        Self { name, dark: Some(Dark::Kill), held_at, ..Self::pause_in_append() }
    }

    /// Every plan with a name.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let base = Self::pause_in_append;
        let at_takeover = CrashAt { step: "take-ownership".to_owned(), point: points::STEP_OUTCOME, after: 0 };
        vec![
            base(),
            Self::killed("kill"),
            Self { name: "cut", dark: Some(Dark::Cut), ..base() },
            Self { name: "kill-at-takeover", crash: Some((Home::Central, at_takeover)), ..base() },
            Self { unsynced: true, ..Self::killed("crash-after-commit-before-sync") },
            Self { name: "slow-append-across-seal", held_until: HeldUntil::Sealing, ..base() },
            Self { name: "claim-race", claim_race: true, ..base() },
            Self { ends_after_rejoin: true, ..Self::killed("deposed-process-returns") },
            Self { returns_isolated: true, ..Self::killed("restart-closed") },
            Self { name: "tail-on-return", homecoming: false, ..base() },
            Self { name: "answer-lost-and-sent-again", answers_lost: true, ..base() },
            Self { name: "no-blackout", dark: None, held_at: None, ..base() },
        ]
    }

    /// The plan of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|plan| plan.name == name)
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
