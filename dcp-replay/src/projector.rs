//! Reads logs, applies them to projections, and commits positions with the rows.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use dcp_core::clock::Clock;
use dcp_core::error::ErrorKind;
use dcp_core::ids::ProjectionId;
use dcp_core::operation::Operation;
use dcp_core::ports::{EventSource, ReplayControl, ReplayStatus};
use dcp_core::position::Cut;
use dcp_core::{Error, Failure};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::logs::Logs;
use crate::model_store::ModelStore;
use crate::projection::{LateRule, Projection};
use crate::settings::ProjectorSettings;
use crate::telemetry;

mod engine;
mod lane;
mod load;
mod refold;
mod seat;
mod stopping;

use engine::{Engine, Parts};

/// Shortest wait after a failure that may pass.
const BACKOFF_MIN: Duration = Duration::from_millis(50);
/// Longest wait after a failure that may pass.
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// The projections of one region over its event store.
///
/// One projector at a time works on a model store: it claims the store when it loads, and whoever
/// claimed before is refused at its next commit.
#[derive(Debug)]
pub struct Projector {
    settings: ProjectorSettings,
    logs: Logs,
    source: Arc<dyn EventSource>,
    models: Arc<dyn ModelStore>,
    projections: Vec<Arc<dyn Projection>>,
    clock: Arc<dyn Clock>,
    /// Out of its slot while a call works on it, so that a failed or dropped call leaves nothing
    /// behind that differs from what is committed: the next call loads it again.
    engine: Mutex<Option<Engine>>,
    published: std::sync::Mutex<Option<ReplayStatus>>,
}

impl Projector {
    /// A projector. Does no I/O.
    ///
    /// # Errors
    /// `Invalid` if there is no projection, or if two have one name.
    pub fn new(
        settings: ProjectorSettings,
        source: Arc<dyn EventSource>,
        models: Arc<dyn ModelStore>,
        projections: Vec<Arc<dyn Projection>>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let mut ids: Vec<_> = projections.iter().map(|projection| projection.id()).collect();
        ids.sort();
        if ids.is_empty() {
            return Err(Error::invalid("no-projections", "a projector needs at least one projection"));
        }
        if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::invalid("projection-named-twice", format!("projection {}: named twice", pair[0])));
        }
        let logs = Logs::new(settings.logs.clone());
        let engine = Mutex::new(None);
        Ok(Self { settings, logs, source, models, projections, clock, engine, published: std::sync::Mutex::new(None) })
    }

    /// Applies events as they come, until `stop` is cancelled. A batch that was begun is finished.
    ///
    /// A projection that stopped does not end this call: the others go on, and the status tells.
    ///
    /// # Errors
    /// `Fenced` if another projector has claimed the model store; any other error that waiting
    /// cannot cure, such as a read model that is full or unreadable.
    ///
    /// # Cancel safety
    /// Cancel safe: a batch in flight is committed as a whole or not at all.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), Error> {
        let mut failures = 0;
        while !stop.is_cancelled() {
            let wait = match self.step().await {
                Ok(met) => {
                    failures = 0;
                    if met == 0 { self.settings.poll } else { Duration::ZERO }
                }
                Err(Failure::NotApplied(error)) if error.kind() != ErrorKind::Retry => return Err(error),
                Err(failure) => {
                    failures += 1;
                    tracing::warn!(event = telemetry::PROJECTOR_WAITS, %failure, failures);
                    backoff(failures)
                }
            };
            if wait.is_zero() {
                // Lets a refold or a query in between batches, also on one thread.
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = self.clock.sleep(wait) => {}
            }
        }
        Ok(())
    }

    /// Applies one batch; answers how many events were met, 0 if nothing is new.
    ///
    /// # Errors
    /// As [`Projector::run`], and `InDoubt` if it is not known whether the batch was committed: call
    /// again, which claims the model store and goes on from what is there.
    ///
    /// # Cancel safety
    /// Cancel safe, as [`Projector::run`].
    pub async fn step(&self) -> Result<usize, Failure> {
        let mut slot = self.engine.lock().await;
        let mut engine = self.take(&mut slot).await?;
        let met = engine.step(self.parts()).await.map_err(fenced)?;
        self.put_back(&mut slot, engine);
        Ok(met)
    }

    /// Applies until nothing is new.
    ///
    /// # Errors
    /// As [`Projector::step`].
    ///
    /// # Cancel safety
    /// Cancel safe, as [`Projector::run`].
    pub async fn catch_up(&self) -> Result<(), Failure> {
        while self.step().await? > 0 {}
        Ok(())
    }

    /// Lets a stopped projection try again at the event that stopped it. Nothing is skipped: if its
    /// cause is still there, it stops again.
    ///
    /// # Errors
    /// `NotApplied(Invalid)` for an unknown projection; else as [`Projector::step`].
    pub async fn resume(&self, projection: &ProjectionId) -> Result<(), Failure> {
        let mut slot = self.engine.lock().await;
        let mut engine = self.take(&mut slot).await?;
        let number = engine.seats.iter().position(|seat| seat.id == *projection).ok_or_else(|| {
            Failure::NotApplied(Error::invalid("unknown-projection", format!("projection {projection}: not run here")))
        })?;
        engine.resume(self.parts(), number).await.map_err(fenced)?;
        self.put_back(&mut slot, engine);
        Ok(())
    }

    fn parts(&self) -> Parts<'_> {
        Parts { settings: &self.settings, logs: &self.logs, source: self.source.as_ref(), models: self.models.as_ref() }
    }

    async fn take(&self, slot: &mut Option<Engine>) -> Result<Engine, Failure> {
        match slot.take() {
            Some(engine) => Ok(engine),
            None => Engine::load(self.parts(), &self.projections).await,
        }
    }

    fn put_back(&self, slot: &mut Option<Engine>, engine: Engine) {
        let status = engine.status(&self.logs);
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
        *slot = Some(engine);
    }

    /// Whether every projection has applied the cut, and the local logs hold it.
    async fn check_cut(&self, status: ReplayStatus, cut: &Cut) -> Result<(), Error> {
        if let Some((projection, reason)) = status.stopped.first_key_value() {
            return Err(Error::stopped("projection-stopped", format!("projection {projection}: {reason}")));
        }
        for (projection, applied) in &status.applied {
            for (log, end) in cut.iter() {
                let count = applied.get(log).copied().unwrap_or(0);
                if count < end.prefix.count {
                    return Err(Error::conflict(
                        "cut-not-applied",
                        format!(
                            "projection {projection}: {log}: {count} of the cut's {} records are applied; wait for \
                             the rest and call again",
                            end.prefix.count
                        ),
                    ));
                }
            }
        }
        for (log, end) in cut.iter() {
            let prefix = self.source.prefix(log, end.prefix.count).await?;
            if prefix != Some(end.prefix) {
                return Err(Error::corrupt(
                    "cut-diverges",
                    format!(
                        "{log}: the cut names {:?}, the local log has {prefix:?}; keep both as evidence",
                        end.prefix
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// Doubles from the shortest to the longest wait.
fn backoff(failures: u32) -> Duration {
    BACKOFF_MIN.saturating_mul(1_u32 << (failures - 1).min(16)).min(BACKOFF_MAX)
}

/// A conflict at the model store means that another projector has claimed it.
fn fenced(failure: Failure) -> Failure {
    match failure {
        Failure::NotApplied(error) if error.kind() == ErrorKind::Conflict => {
            Failure::NotApplied(Error::fenced("projector-fenced", error.message()))
        }
        other => other,
    }
}

#[async_trait]
impl ReplayControl for Projector {
    /// As of the last batch; loads what is committed if nothing was applied yet.
    async fn status(&self) -> Result<ReplayStatus, Error> {
        let published = self.published.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(status) = published {
            return Ok(status);
        }
        let mut slot = self.engine.lock().await;
        let engine = self.take(&mut slot).await.map_err(|failure| match failure {
            Failure::NotApplied(error) => error,
            Failure::InDoubt(doubt) => Error::retry("claim-in-doubt", doubt.to_string()),
        })?;
        let status = engine.status(&self.logs);
        self.put_back(&mut slot, engine);
        Ok(status)
    }

    /// Reaches as far as each log is applied, which is the cut or beyond it. Applying waits meanwhile.
    async fn refold(&self, _operation: &Operation, cut: &Cut) -> Result<(), Failure> {
        let mut slot = self.engine.lock().await;
        let mut engine = self.take(&mut slot).await?;
        let status = engine.status(&self.logs);
        if let Err(error) = self.check_cut(status, cut).await {
            self.put_back(&mut slot, engine);
            return Err(Failure::NotApplied(error));
        }
        for number in 0..engine.seats.len() {
            if engine.seats[number].rule == LateRule::RebuildStream {
                engine.refold(self.parts(), number).await.map_err(fenced)?;
            }
        }
        self.put_back(&mut slot, engine);
        Ok(())
    }
}
