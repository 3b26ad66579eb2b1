//! An election with one defect each; without any it keeps every clause, in a few lines and slowly.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use dcp_core::clock::Clock;
use dcp_core::fence::Term;
use dcp_core::lease::{Challenge, ChallengeState, LeaseTerms};
use dcp_core::operation::Leadership;
use dcp_core::ports::{Entry, Key, LeaderElection, StateStore, Transaction};
use dcp_core::testing::fixtures::{holder, west};
use dcp_core::{Error, ErrorKind, Failure};

use crate::clauses::Elections;

/// Which defect.
pub(crate) trait Defect: Send + Sync + 'static {
    const NAME: &'static str;
}

macro_rules! defects {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $($(#[$doc])* #[derive(Debug)] pub(crate) struct $name; impl Defect for $name { const NAME: &'static str = stringify!($name); })*
    };
}

defects! {
    /// Takes the key whoever took it since it was read.
    UnconditionalTake
    /// The article's: counts terms in the process.
    ProcessLocalCounter
    /// Does not know itself after a restart.
    WaitsForItself
    /// Takes the key from a leader that renews.
    NoWait
    /// Renews without looking at the key.
    UnconditionalRenewal
    /// Takes its own unanswered commit for another's.
    IgnoresItsNonce
    /// Calls the term by the key's last write.
    HeaderRevision
}

/// Elections with this defect.
pub(crate) struct Planted<D>(PhantomData<D>);

impl<D: Defect> Elections for Planted<D> {
    fn join(
        store: Arc<dyn StateStore>,
        name: &str,
        life: u64,
        terms: &LeaseTerms,
        clock: Arc<dyn Clock>,
    ) -> Arc<dyn LeaderElection> {
        let election = Defective {
            defect: D::NAME,
            store,
            name: name.to_owned(),
            life,
            terms: terms.clone(),
            clock,
            counter: AtomicU64::new(0),
        };
        Arc::new(election)
    }
}

#[derive(Debug)]
struct Defective {
    defect: &'static str,
    store: Arc<dyn StateStore>,
    name: String,
    life: u64,
    terms: LeaseTerms,
    clock: Arc<dyn Clock>,
    counter: AtomicU64,
}

// `name life taken sequence`; `taken` is 0 in the commit that takes.
struct Seen {
    name: String,
    life: u64,
    taken: u64,
    sequence: u64,
    revision: u64,
}

fn parse(entry: &Entry) -> Seen {
    let text = String::from_utf8(entry.value.to_vec()).unwrap();
    let mut parts = text.split(' ');
    let name = parts.next().unwrap().to_owned();
    let mut number = || parts.next().unwrap().parse::<u64>().unwrap();
    let (life, taken, sequence) = (number(), number(), number());
    let revision = entry.revision.get();
    Seen { name, life, taken: if taken == 0 { revision } else { taken }, sequence, revision }
}

impl Defective {
    fn has(&self, defect: &str) -> bool {
        self.defect == defect
    }

    fn key() -> Key {
        Key::new("leader").unwrap()
    }

    fn value(&self, taken: u64, sequence: u64) -> Vec<u8> {
        format!("{} {} {taken} {sequence}", self.name, self.life).into_bytes()
    }

    async fn put(&self, read: Option<&Entry>, value: Vec<u8>, conditional: bool) -> Result<(), Failure> {
        let transaction = Transaction::new().put(Self::key(), value);
        let transaction = if conditional { transaction.unchanged(Self::key(), read) } else { transaction };
        self.store.commit(transaction).await.map(|_| ())
    }

    fn term(&self, seen: &Seen) -> Term {
        let counted = self.counter.load(Ordering::SeqCst);
        let revision = match self.defect {
            "ProcessLocalCounter" => counted,
            "HeaderRevision" => seen.revision,
            _ => seen.taken,
        };
        Term { issuer: west(), holder: holder(&seen.name), revision }
    }

    fn may_take(&self, seen: &Seen, challenge: &Challenge) -> bool {
        let itself = seen.name == self.name && !self.has("WaitsForItself");
        let run_out = matches!(challenge.state(&self.terms, self.clock.now()), ChallengeState::RunOut { .. });
        itself || run_out || (self.has("NoWait") && self.clock.now().as_nanos() > 4_000_000_000)
    }
}

#[async_trait]
impl LeaderElection for Defective {
    async fn campaign(&self) -> Result<Leadership, Failure> {
        let mut challenge = Challenge::new();
        let mut took = false;
        loop {
            let entry = self.store.read(&Self::key()).await.map_err(Failure::NotApplied)?;
            let seen = entry.as_ref().map(parse);
            if let Some(seen) = &seen {
                challenge.observe(seen.revision, seen.sequence, self.clock.now());
                if seen.name == self.name && seen.life == self.life && (took || !self.has("IgnoresItsNonce")) {
                    self.counter.fetch_add(1, Ordering::SeqCst);
                    return Ok(Leadership::confirmed(self.term(seen)));
                }
            }
            if seen.as_ref().is_none_or(|seen| self.may_take(seen, &challenge)) {
                tokio::task::yield_now().await;
                took = match self.put(entry.as_ref(), self.value(0, 0), !self.has("UnconditionalTake")).await {
                    Ok(()) if self.has("UnconditionalTake") => {
                        // Trusts its commit and does not read again.
                        let entry = self.store.read(&Self::key()).await.map_err(Failure::NotApplied)?;
                        let taken = Seen { name: self.name.clone(), life: self.life, ..parse(&entry.unwrap()) };
                        return Ok(Leadership::confirmed(self.term(&taken)));
                    }
                    Ok(()) => true,
                    Err(_) => false,
                };
                continue;
            }
            self.clock.sleep(Duration::from_millis(500)).await;
        }
    }

    async fn renew(&self, leadership: &Leadership) -> Result<(), Failure> {
        let entry = self.store.read(&Self::key()).await.map_err(Failure::NotApplied)?;
        let Some(seen) = entry.as_ref().map(parse) else { return Ok(()) };
        let ours = seen.name == self.name && seen.life == self.life;
        if !ours && !self.has("UnconditionalRenewal") {
            return Err(Failure::NotApplied(Error::fenced("term-over", "another leads")));
        }
        let value = self.value(leadership.term().revision.min(seen.taken), seen.sequence + 1);
        match self.put(entry.as_ref(), value, !self.has("UnconditionalRenewal")).await {
            Err(Failure::NotApplied(error)) if error.kind() == ErrorKind::Conflict => {
                Err(Failure::NotApplied(Error::fenced("term-over", "another leads")))
            }
            outcome => outcome,
        }
    }

    async fn current(&self) -> Result<Option<Term>, Error> {
        Ok(self.store.read(&Self::key()).await?.as_ref().map(|entry| self.term(&parse(entry))))
    }
}
