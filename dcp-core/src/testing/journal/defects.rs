//! Planted defects: each breaks exactly one clause over a store that keeps its own contract.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::rig::signer;
use super::toy::{Honesty, ToyCatalog, ToyWorld};
use super::{JournalFixture, keys};
use crate::digest::Digest;
use crate::error::{Error, Failure};
use crate::ports::{Condition, Entry, Key, Revision, StateStore, Transaction, Write};
use crate::runbook::{ActionCatalog, Anchor, ExportLine, HEAD_CONTEXT, Move, Rules, Summary, verify_export};
use crate::signed::KeySet;

/// What is wrong with the system under test.
pub trait Defect: Send + Sync + 'static {
    /// The driver's rules.
    fn rules() -> Rules {
        Rules::kept()
    }
    /// How the actions behave.
    fn catalog(world: &Arc<ToyWorld>) -> Arc<dyn ActionCatalog> {
        Arc::new(ToyCatalog::new(Arc::clone(world)))
    }
    /// Verifies an export.
    ///
    /// # Errors
    /// As [`verify_export`], but for the defect.
    fn verify(lines: &[ExportLine], keys: &KeySet) -> Result<Summary, Error> {
        verify_export(lines, keys)
    }
    /// What the store does wrong.
    const STORE: StoreDefect = StoreDefect::None;
}

/// What a store does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreDefect {
    /// Nothing.
    None,
    /// Answers notes before they are durable.
    NotesUnsynced,
    /// Does not look at conditions.
    Unconditional,
    /// When it is opened again it rewrites the first entry's time, and the chain to fit.
    Rewrites,
}

/// A fixture with a defect over another fixture.
#[derive(Debug)]
pub struct Broken<D, Fx> {
    inner: Fx,
    undo: Arc<Mutex<Vec<Write>>>,
    defect: PhantomData<fn() -> D>,
}

#[async_trait]
impl<D: Defect, Fx: JournalFixture> JournalFixture for Broken<D, Fx> {
    async fn start() -> Self {
        Self { inner: Fx::start().await, undo: Arc::default(), defect: PhantomData }
    }

    fn store(&self) -> Arc<dyn StateStore> {
        match D::STORE {
            StoreDefect::NotesUnsynced => {
                Arc::new(NotesUnsynced { inner: self.inner.store(), undo: Arc::clone(&self.undo) })
            }
            StoreDefect::Unconditional => Arc::new(Unconditional(self.inner.store())),
            StoreDefect::None | StoreDefect::Rewrites => self.inner.store(),
        }
    }

    async fn crash(&mut self) {
        self.inner.crash().await;
        let lost = std::mem::take(&mut *self.undo.lock().unwrap_or_else(PoisonError::into_inner));
        let mut damage = Transaction::new();
        damage.writes = lost;
        if D::STORE == StoreDefect::Rewrites
            && let Ok(rewritten) = rewritten(&*self.inner.store()).await
        {
            damage = rewritten;
        }
        if !damage.writes.is_empty() {
            // If it does not take, the defect is not there, and its test says so.
            let _ = self.inner.store().commit(damage).await;
        }
    }

    fn rules(&self) -> Rules {
        D::rules()
    }

    fn catalog(&self, world: &Arc<ToyWorld>) -> Arc<dyn ActionCatalog> {
        D::catalog(world)
    }

    fn verify(&self, lines: &[ExportLine], keys: &KeySet) -> Result<Summary, Error> {
        D::verify(lines, keys)
    }
}

macro_rules! defects {
    ($($(#[$doc:meta])* $name:ident { $($body:tt)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            #[allow(clippy::exhaustive_structs)]
            pub struct $name;
            impl Defect for $name { $($body)* }
        )*
    };
}

defects! {
    /// J1: a journal without sync, for notes.
    WithoutSync {
        const STORE: StoreDefect = StoreDefect::NotesUnsynced;
    }
    /// J2: acts before the intent is written.
    ActsBeforeIntent {
        fn catalog(world: &Arc<ToyWorld>) -> Arc<dyn ActionCatalog> {
            Arc::new(ToyCatalog::behaving(Arc::clone(world), Honesty::ActsEarly))
        }
    }
    /// J3: believes the hashes that it computes itself.
    ChainUnchecked {
        fn verify(lines: &[ExportLine], keys: &KeySet) -> Result<Summary, Error> {
            relinked(lines, keys)
        }
    }
    /// J4: anybody may append at any time.
    HeadUnconditional {
        const STORE: StoreDefect = StoreDefect::Unconditional;
    }
    /// J5: begins every step from its precondition.
    RepeatsBlindly {
        fn rules() -> Rules {
            Rules { begin: |_, now| Move::AskReady(now), ..Rules::kept() }
        }
    }
    /// J6: does not look at signatures.
    SignaturesUnchecked {
        fn verify(lines: &[ExportLine], _keys: &KeySet) -> Result<Summary, Error> {
            verify_export(&signed_anew(lines)?, &keys()?)
        }
    }
    /// J7: tidies the journal when it is opened.
    RewritesHistory {
        const STORE: StoreDefect = StoreDefect::Rewrites;
    }
    /// J8: takes any plan for the pinned one.
    PlanUnpinned {
        fn rules() -> Rules {
            Rules { same_plan: |_, _| true, ..Rules::kept() }
        }
    }
    /// J9: draws a new nonce for each attempt.
    RedrawsNonce {
        fn rules() -> Rules {
            Rules { nonce: |_, drawn| drawn, ..Rules::kept() }
        }
    }
    /// J10: remembers only what it did itself since it started.
    ForgetsFacts {
        fn rules() -> Rules {
            Rules {
                facts: |run, now| run.done().into_iter().filter(|(step, _)| now.contains(step)).collect::<BTreeMap<_, _>>(),
                ..Rules::kept()
            }
        }
    }
    /// J11: its probe takes any claim for its own.
    IgnoresNonce {
        fn catalog(world: &Arc<ToyWorld>) -> Arc<dyn ActionCatalog> {
            Arc::new(ToyCatalog::behaving(Arc::clone(world), Honesty::IgnoresNonce))
        }
    }
}

fn signed_anew(lines: &[ExportLine]) -> Result<Vec<ExportLine>, Error> {
    let signer = signer()?;
    let mut lines = lines.to_vec();
    for line in &mut lines {
        if line.record()?.entry.is_signed() {
            let end = Anchor { sequence: line.sequence, head: line.hash };
            line.key = Some(signer.id().clone());
            line.signature = Some(hex::encode(signer.sign_bytes(HEAD_CONTEXT, &end.signed_bytes())));
        }
    }
    Ok(lines)
}

fn relink(last: &Anchor, line: &ExportLine) -> ExportLine {
    let sequence = last.sequence + 1;
    let hash = Digest::of_parts(&[last.head.as_bytes(), &sequence.to_be_bytes(), line.entry.as_bytes()]);
    ExportLine { sequence, previous: last.head, hash, ..line.clone() }
}

// Checks each signature against its own line, and nothing between the lines.
fn relinked(lines: &[ExportLine], keys: &KeySet) -> Result<Summary, Error> {
    let mut linked = Vec::with_capacity(lines.len());
    let mut last = Anchor::EMPTY;
    let mut signatures = 0;
    for line in lines {
        let record = line.record()?;
        if record.entry.is_signed() {
            let end = Anchor { sequence: line.sequence, head: line.hash };
            let missing = || Error::corrupt("journal-signature", "the signature is missing");
            let (key, text) = line.key.as_ref().zip(line.signature.as_ref()).ok_or_else(missing)?;
            let signature = hex::decode(text).unwrap_or_default();
            if !keys.verifies_bytes(HEAD_CONTEXT, &end.signed_bytes(), key, &signature) {
                return Err(Error::corrupt("journal-signature", "the signature does not verify"));
            }
            signatures += 1;
        }
        let next = relink(&last, line);
        last = Anchor { sequence: next.sequence, head: next.hash };
        linked.push(next);
    }
    Ok(Summary { end: last, signatures, runs: BTreeMap::new() })
}

async fn rewritten(store: &dyn StateStore) -> Result<Transaction, Error> {
    let mut damage = Transaction::new();
    let mut last = Anchor::EMPTY;
    for entry in store.scan("journal/entry/", None, 100).await? {
        let mut line = ExportLine::from_json(&entry.value)?;
        line.entry = line.entry.replacen("{\"at\":", "{\"at\":1", usize::from(last == Anchor::EMPTY));
        let line = relink(&last, &line);
        last = Anchor { sequence: line.sequence, head: line.hash };
        damage = damage.put(entry.key, line.to_json());
    }
    let head = Key::new("journal/head")?;
    let Some(stored) = store.read(&head).await? else { return Ok(damage) };
    let mut value: serde_json::Value =
        serde_json::from_slice(&stored.value).map_err(|cause| Error::corrupt("journal-head", cause.to_string()))?;
    value["end"] = serde_json::json!({ "sequence": last.sequence, "head": last.head });
    Ok(damage.put(head, value.to_string()))
}

#[derive(Debug)]
struct Unconditional(Arc<dyn StateStore>);

#[async_trait]
impl StateStore for Unconditional {
    async fn read(&self, key: &Key) -> Result<Option<Entry>, Error> {
        self.0.read(key).await
    }
    async fn scan(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, Error> {
        self.0.scan(prefix, after, limit).await
    }
    async fn commit(&self, mut transaction: Transaction) -> Result<Revision, Failure> {
        transaction.conditions.clear();
        self.0.commit(transaction).await
    }
}

#[derive(Debug)]
struct NotesUnsynced {
    inner: Arc<dyn StateStore>,
    undo: Arc<Mutex<Vec<Write>>>,
}

#[async_trait]
impl StateStore for NotesUnsynced {
    async fn read(&self, key: &Key) -> Result<Option<Entry>, Error> {
        self.inner.read(key).await
    }
    async fn scan(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, Error> {
        self.inner.scan(prefix, after, limit).await
    }
    async fn commit(&self, transaction: Transaction) -> Result<Revision, Failure> {
        let mut before = Vec::new();
        if writes_a_note(&transaction) {
            for condition in &transaction.conditions {
                let (Condition::Absent(key) | Condition::At(key, _)) = condition;
                let stored = self.inner.read(key).await.map_err(Failure::NotApplied)?;
                before.push(match stored {
                    Some(entry) => Write::Put(entry.key, entry.value),
                    None => Write::Delete(key.clone()),
                });
            }
        }
        let revision = self.inner.commit(transaction).await?;
        // What is committed after a note takes it along.
        *self.undo.lock().unwrap_or_else(PoisonError::into_inner) = before;
        Ok(revision)
    }
}

fn writes_a_note(transaction: &Transaction) -> bool {
    transaction.writes.iter().any(|write| match write {
        Write::Put(_, value) => String::from_utf8_lossy(value).contains("\\\"kind\\\":\\\"note\\\""),
        Write::Delete(_) => false,
    })
}
