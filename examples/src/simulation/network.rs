//! The network between the nodes: for each direction a verdict, delivered late or cut.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dcp_core::clock::{Clock, Entropy, SeededEntropy};
use tokio::sync::oneshot;

use super::process::Process;

/// A node of the world: a region, the witness or a producer.
pub(super) type Node = String;

/// Why a call brought no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// Nobody listens there: it was certainly not taken in.
    NobodyListens,
    /// No answer within the deadline.
    Silent,
    /// The other side ended before it answered.
    Broken,
}

/// Who can reach whom, and how fast.
#[derive(Debug)]
pub(super) struct Network {
    clock: Arc<dyn Clock>,
    entropy: SeededEntropy,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    cut: BTreeSet<(Node, Node)>,
    hosts: BTreeMap<Node, Arc<Process>>,
}

impl Network {
    pub(super) fn new(clock: Arc<dyn Clock>, seed: u64) -> Arc<Self> {
        Arc::new(Self { clock, entropy: SeededEntropy::new(seed, "network"), state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A process listens for a node.
    pub(super) fn host(&self, node: &str, process: &Arc<Process>) {
        self.state().hosts.insert(node.to_owned(), Arc::clone(process));
    }

    /// Cuts one direction: what is sent that way is lost without a word.
    pub(super) fn cut(&self, from: &str, to: &str) {
        self.state().cut.insert((from.to_owned(), to.to_owned()));
    }

    /// Cuts both directions.
    pub(super) fn part(&self, one: &str, other: &str) {
        self.cut(one, other);
        self.cut(other, one);
    }

    /// Mends both directions.
    pub(super) fn mend(&self, one: &str, other: &str) {
        self.mend_way(one, other);
        self.mend_way(other, one);
    }

    /// Mends one direction.
    pub(super) fn mend_way(&self, from: &str, to: &str) {
        self.state().cut.remove(&(from.to_owned(), to.to_owned()));
    }

    /// Whether that direction is cut.
    pub(super) fn is_cut(&self, from: &str, to: &str) -> bool {
        self.state().cut.contains(&(from.to_owned(), to.to_owned()))
    }

    fn delivers(&self, from: &str, to: &str) -> bool {
        !self.is_cut(from, to)
    }

    // One to four milliseconds each way.
    async fn travel(&self) {
        let drawn = u64::from(self.entropy.draw()[0]);
        self.clock.sleep(Duration::from_millis(1 + drawn % 4)).await;
    }

    fn listening(&self, node: &str) -> Option<Arc<Process>> {
        self.state().hosts.get(node).filter(|host| !host.is_dead()).cloned()
    }

    // The far end of a call: runs there even if the caller has stopped waiting.
    async fn serve<T>(
        self: Arc<Self>,
        (from, to): (Node, Node),
        host: Arc<Process>,
        answer: oneshot::Sender<Option<T>>,
        work: impl Future<Output = T>,
    ) {
        self.travel().await;
        host.awake().await;
        let worked = work.await;
        host.awake().await;
        if !self.delivers(&to, &from) {
            // The caller keeps waiting: silence is no answer.
            let _ = answer.send(None);
            return;
        }
        self.travel().await;
        let _ = answer.send(Some(worked));
    }
}

/// One direction of calls, from a process to a node.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    pub(super) network: Arc<Network>,
    pub(super) from: Node,
    pub(super) to: Node,
    pub(super) caller: Arc<Process>,
    /// The caller's clock.
    pub(super) clock: Arc<dyn Clock>,
    /// How long the caller waits.
    pub(super) deadline: Duration,
}

impl Wire {
    /// The same with another deadline.
    pub(super) fn within(&self, deadline: Duration) -> Self {
        Self { deadline, ..self.clone() }
    }

    /// Has something done at the far end, and waits for its answer.
    pub(super) async fn carry<T, F>(&self, work: F) -> Result<T, Lost>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        self.caller.awake().await;
        let until = self.clock.now().after(self.deadline);
        let (answer, mut answered) = oneshot::channel();
        let mut kept = Some(answer);
        if self.network.delivers(&self.from, &self.to) {
            let Some(host) = self.network.listening(&self.to) else {
                self.network.travel().await;
                self.caller.awake().await;
                return Err(Lost::NobodyListens);
            };
            if let Some(answer) = kept.take() {
                let way = (self.from.clone(), self.to.clone());
                host.spawn(Arc::clone(&self.network).serve(way, Arc::clone(&host), answer, work));
            }
        }
        let waited = tokio::select! {
            biased;
            answer = &mut answered => Some(answer),
            () = self.clock.sleep_until(until) => None,
        };
        let lost = match waited {
            Some(Ok(Some(answer))) => {
                self.caller.awake().await;
                return Ok(answer);
            }
            Some(Err(_)) => Lost::Broken,
            Some(Ok(None)) => {
                self.clock.sleep_until(until).await;
                Lost::Silent
            }
            None => Lost::Silent,
        };
        drop(kept);
        self.caller.awake().await;
        Err(lost)
    }
}

/// How a call reaches what serves it.
#[derive(Debug, Clone)]
pub(super) enum Path {
    /// In the process itself.
    Local(Arc<Process>),
    /// Over the network.
    Remote(Wire),
}

impl Path {
    pub(super) async fn carry<T, F>(&self, work: F) -> Result<T, Lost>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        match self {
            Self::Local(process) => {
                process.awake().await;
                let worked = work.await;
                process.awake().await;
                Ok(worked)
            }
            Self::Remote(wire) => wire.carry(work).await,
        }
    }
}
