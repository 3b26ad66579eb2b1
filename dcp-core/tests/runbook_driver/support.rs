//! A driver over the memory store, and actions that answer as a test scripts them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use dcp_core::clock::{SeededEntropy, TokioClock};
use dcp_core::error::{Error, Failure};
use dcp_core::ids::{RunId, StepId};
use dcp_core::memory::MemoryStateStore;
use dcp_core::ports::{Facts, NoFailpoints, Readiness, StepAction, StepContext, Taken};
use dcp_core::runbook::{ActionCatalog, Driver, DriverParts, Journal, Plan, Step};
use dcp_core::testing::journal::{signer, term};

pub(crate) fn run() -> RunId {
    RunId::new("run").unwrap()
}

pub(crate) fn plan_with(change: impl Fn(Step) -> Step) -> Plan {
    let step = |name: &str| {
        let step = Step::new(StepId::new(name).unwrap(), 1, "scripted")
            .with_deadline(Duration::from_secs(1))
            .with_poll(Duration::from_millis(10));
        change(step)
    };
    Plan::new("test", "subject", ["a", "b", "c"].map(step).to_vec()).unwrap()
}

pub(crate) fn plan() -> Plan {
    plan_with(|step| step.with_compensation("undo"))
}

pub(crate) async fn driver() -> Driver {
    let clock = Arc::new(TokioClock::new());
    let parts = DriverParts {
        clock: clock.clone(),
        entropy: Arc::new(SeededEntropy::new(1, "nonces")),
        failpoints: Arc::new(NoFailpoints),
        signer: signer().unwrap(),
    };
    let journal = Journal::open(Arc::new(MemoryStateStore::new()), clock).await.unwrap();
    Driver::take(Arc::new(journal), term(1).unwrap(), parts).await.unwrap()
}

// Whether the act takes effect, and what it answers.
type ScriptedAct = (bool, Result<(), Failure>);

#[derive(Debug, Default)]
struct Lines {
    ready: BTreeMap<String, VecDeque<Result<Readiness, Error>>>,
    act: BTreeMap<String, VecDeque<ScriptedAct>>,
    took: BTreeMap<String, VecDeque<Result<Taken, Error>>>,
    prepare: VecDeque<Failure>,
    never_ready: BTreeSet<String>,
    hangs: BTreeSet<String>,
    there: BTreeSet<String>,
    log: Vec<String>,
}

/// Answers of each step, in order; without one a step is ready, acts, and is there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script(Arc<Mutex<Lines>>);

impl Script {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap()
    }

    pub(crate) fn ready(&self, step: &str, answer: Result<Readiness, Error>) {
        self.lines().ready.entry(step.to_owned()).or_default().push_back(answer);
    }

    pub(crate) fn act(&self, step: &str, takes: bool, answer: Result<(), Failure>) {
        self.lines().act.entry(step.to_owned()).or_default().push_back((takes, answer));
    }

    pub(crate) fn took(&self, step: &str, answer: Result<Taken, Error>) {
        self.lines().took.entry(step.to_owned()).or_default().push_back(answer);
    }

    pub(crate) fn fails_to_prepare(&self, failure: Failure) {
        self.lines().prepare.push_back(failure);
    }

    pub(crate) fn never_ready(&self, step: &str) {
        self.lines().never_ready.insert(step.to_owned());
    }

    pub(crate) fn ready_again(&self, step: &str) {
        self.lines().never_ready.remove(step);
    }

    pub(crate) fn hangs(&self, step: &str) {
        self.lines().hangs.insert(step.to_owned());
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.lines().log.clone()
    }

    pub(crate) fn acts(&self, step: &str) -> usize {
        self.lines().log.iter().filter(|acted| *acted == step).count()
    }
}

#[async_trait]
impl ActionCatalog for Script {
    fn bind(&self, _step: &Step) -> Result<Arc<dyn StepAction>, Error> {
        Ok(Arc::new(self.clone()))
    }

    fn compensation(&self, _step: &Step) -> Result<Option<Arc<dyn StepAction>>, Error> {
        Ok(Some(Arc::new(self.clone())))
    }

    async fn prepare(&self, _run: &RunId, _done: &BTreeMap<StepId, Facts>) -> Result<(), Failure> {
        self.lines().prepare.pop_front().map_or(Ok(()), Err)
    }
}

#[async_trait]
impl StepAction for Script {
    async fn ready(&self, context: &StepContext) -> Result<Readiness, Error> {
        let mut lines = self.lines();
        if lines.never_ready.contains(context.step.as_str()) {
            return Ok(Readiness::NotYet("scripted".to_owned()));
        }
        let answers = lines.ready.entry(context.step.to_string()).or_default();
        answers.pop_front().unwrap_or(Ok(Readiness::Ready))
    }

    async fn act(&self, context: &StepContext) -> Result<(), Failure> {
        let step = context.step.to_string();
        let answer = {
            let mut lines = self.lines();
            lines.log.push(step.clone());
            let (takes, answer) = lines.act.entry(step.clone()).or_default().pop_front().unwrap_or((true, Ok(())));
            let hangs = lines.hangs.contains(&step);
            if takes && !hangs {
                lines.there.insert(step);
            }
            (!hangs).then_some(answer)
        };
        match answer {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    async fn took(&self, context: &StepContext) -> Result<Taken, Error> {
        let mut lines = self.lines();
        let scripted = lines.took.entry(context.step.to_string()).or_default().pop_front();
        let there = lines.there.contains(context.step.as_str());
        scripted.unwrap_or(Ok(if there { Taken::Yes(Facts::new()) } else { Taken::No }))
    }
}
