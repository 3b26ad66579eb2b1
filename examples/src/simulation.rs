//! The drill in one thread on paused time: two regions, their witness and two producers, and
//! between them a network that delays and cuts.
//!
//! ```text
//! StoryPlan, seed ──> World ── story ──> stores, chains, journals, acknowledgements ──> checks ──> Report
//!                       └ regions: assembled as the drill's, over memory stores that lose what was not synced
//! ```
//!
//! Everything is drawn from the seed, so that the same plan and seed give the same journals, byte
//! by byte, and a failure is replayed by [`Report::replay`].

mod checks;
mod clock;
mod defects;
mod failpoints;
mod faults;
mod journals;
mod network;
mod observations;
mod operator;
pub mod plan;
mod planes;
mod ports;
mod process;
mod producer;
mod region;
mod stale;
mod story;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dcp_core::Error;
use dcp_core::testing::faults::FaultPlan;

pub use self::defects::Defect;
pub use self::observations::Finding;
pub use self::operator::OperatorsReport;
pub use self::plan::StoryPlan;
pub use self::planes::PlaneStory;
pub use self::story::Happened;
use self::world::World;
use crate::orders::{Home, Orders};

/// What became of one story.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Report {
    /// The plan's name.
    pub plan: &'static str,
    /// The seed.
    pub seed: u64,
    /// Lines of the data.
    pub lines: u64,
    /// The defect that was planted, if any.
    pub defect: Option<Defect>,
    /// How the first region went dark.
    pub dark: FaultPlan,
    /// Where a process was made to end, if anywhere.
    pub crash: Option<(Home, plan::CrashAt)>,
    /// What was wrong.
    pub findings: Vec<Finding>,
    /// How often each check was made.
    pub checked: BTreeMap<&'static str, u64>,
    /// What the faults brought about.
    pub happened: Happened,
    /// What was to happen and did not.
    pub vacuous: Vec<&'static str>,
    /// Each region's journal, line by line.
    pub journals: BTreeMap<&'static str, Vec<Vec<u8>>>,
}

impl Report {
    /// Whether nothing was wrong and everything that was to happen happened.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.findings.is_empty() && self.vacuous.is_empty()
    }

    /// Names of the checks that found something.
    #[must_use]
    pub fn failed_checks(&self) -> BTreeSet<&'static str> {
        self.findings.iter().map(|finding| finding.check).collect()
    }

    /// One line that replays the story, with the first thing that was wrong.
    #[must_use]
    pub fn replay(&self) -> String {
        let crash = self.crash.as_ref().map_or_else(String::new, |(home, crash)| {
            format!(" DRILL_CRASH={}:{}:{}", home.region(), crash.step, crash.point)
        });
        let usual = StoryPlan::named(self.plan).is_some_and(|plan| plan.dark == self.dark);
        let dark = if usual { String::new() } else { format!(" DRILL_DARK='{}'", self.dark) };
        let defect = self.defect.map_or_else(String::new, |defect| format!(" (defect {defect:?})"));
        let first = self.findings.first().map_or_else(
            || format!("what did not happen: {:?}", self.vacuous),
            |finding| format!("{}: {}", finding.check, finding.what),
        );
        let (plan, seed, lines) = (self.plan, self.seed, self.lines);
        format!("DRILL_PLAN={plan} DRILL_SEED={seed} DRILL_LINES={lines}{crash}{dark}{defect} -- {first}")
    }
}

/// Tells one story in a runtime of its own, on paused time.
///
/// # Errors
/// `Stopped` if no runtime can be made, or what the stores answer at the end.
pub fn drill(plan: StoryPlan, seed: u64, defect: Option<Defect>, orders: &Arc<Orders>) -> Result<Report, Error> {
    on_paused_time(async {
        let mut world = World::build(plan.clone(), seed, defect, Arc::clone(orders)).await?;
        let told = world.tell().await;
        let mut happened = match told {
            Ok(happened) => happened,
            Err(finding) => {
                world.around.observer.check(finding.check, Some(finding.what));
                Happened::default()
            }
        };
        world.judge(&mut happened).await?;
        let mut journals = BTreeMap::new();
        for home in Home::ALL {
            journals.insert(home.region(), world.export(home).await?);
        }
        let (findings, checked) = world.around.observer.findings();
        let vacuous = vacuous(&plan, &happened);
        let (name, lines, dark, crash) = (plan.name, plan.lines, plan.dark, plan.crash);
        Ok(Report { plan: name, seed, lines, defect, dark, crash, findings, checked, happened, vacuous, journals })
    })
}

/// Tells the story of operators who order what must not be: see [`OperatorsReport`].
///
/// # Errors
/// As [`drill`].
pub fn operators(seed: u64, orders: &Arc<Orders>) -> Result<OperatorsReport, Error> {
    on_paused_time(operator::story(seed, Arc::clone(orders)))
}

/// Tells one story of two planes, and answers what was wrong.
///
/// # Errors
/// As [`drill`].
pub fn planes(story: PlaneStory, seed: u64, orders: &Arc<Orders>) -> Result<Vec<Finding>, Error> {
    on_paused_time(planes::tell(story, seed, Arc::clone(orders)))
}

fn on_paused_time<T>(story: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.map_err(|cause| Error::stopped("no-runtime", cause.to_string()))?.block_on(story)
}

fn vacuous(plan: &StoryPlan, happened: &Happened) -> Vec<&'static str> {
    if plan.dark.is_empty() {
        return vec!["no blackout"];
    }
    let wanted = [
        ("no tail was held back", happened.tail > 0),
        ("no append was held over the fault", happened.held),
        ("no stale write was tried and refused", happened.stale.0 > 0 && happened.stale.1 == happened.stale.0),
        ("no copy occurred", happened.copies > 0 || plan.unsynced),
        ("no late event occurred", happened.late > 0),
        ("no process ended where it was to", happened.crashes > 0 || plan.crash.is_none()),
    ];
    wanted.into_iter().filter(|(_, happened)| !happened).map(|(what, _)| what).collect()
}
