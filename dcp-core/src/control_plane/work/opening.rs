//! Opening runs: those that are ordered, and a blackout that the plane starts by itself.

use super::{Current, Work};
use crate::control_plane::handle::{Order, Ordered, RunStatus};
use crate::control_plane::leading::decided_by_reading_again;
use crate::control_plane::orders::{plan_of, run_id};
use crate::control_plane::resumption::takes_up;
use crate::digest::Digest;
use crate::error::Error;
use crate::ids::RunId;
use crate::runbook::{self, RunResult};

impl Work<'_> {
    pub(super) async fn ordered(
        &mut self,
        (order, answer): Ordered,
        current: Option<Current>,
    ) -> Result<Option<Current>, Error> {
        if let Some(driven) = &current {
            let back = self.goes_back(driven);
            let same = self.is_about(Some(driven), &order) && !back;
            // One that cannot be undone at present must not keep an operator from everything else.
            let waits = back && self.parts.clock.now() < driven.after;
            if same || !(waits || matches!(order, Order::Blackout { .. })) {
                let run = driven.run.clone();
                let busy = format!("run {run} is being driven; only a blackout takes its place");
                // A caller that went away has lost nothing: the order is in no journal.
                let _ = answer.send(if same { Ok(run) } else { Err(Error::refused("busy", busy)) });
                return Ok(current);
            }
        }
        let opened = self.open(&order).await;
        let next = match &opened {
            Ok(run) => Some(self.at_once(run.clone())),
            Err(_) => current,
        };
        let failed = opened.as_ref().err().cloned();
        let _ = answer.send(opened);
        if let Some(error) = failed {
            self.survive(&error).await?;
        }
        Ok(next)
    }

    pub(super) async fn looked(&mut self, current: Option<Current>) -> Result<Option<Current>, Error> {
        match self.due().await {
            Ok(Some(order)) if !self.is_about(current.as_ref(), &order) => {
                tracing::warn!(?order, "the peer's ownership lease ran out; takes over by itself");
                match self.open(&order).await {
                    Ok(run) => Ok(Some(self.at_once(run))),
                    Err(error) => {
                        if let Order::Blackout { lost } = &order {
                            self.automatic.failed(lost, self.parts.treaty.ttl(), self.parts.clock.now());
                        }
                        self.survive(&error).await.map(|()| current)
                    }
                }
            }
            _ if current.is_none() && self.look_again => self.left_open_or_none().await,
            _ => Ok(current),
        }
    }

    /// Opens a run for the order, or goes on with an open one of the same plan, or answers the one that has
    /// already done it. Every other open run is superseded, but for those that only go back: what they have
    /// prepared is still undone, once this run has ended.
    async fn open(&mut self, order: &Order) -> Result<RunId, Error> {
        let plan = plan_of(&self.parts.treaty, order)?;
        let journal = self.driver.journal();
        let (mut same, mut others) = (None, Vec::new());
        for run in journal.open_runs().await? {
            let Some(state) = journal.run(&run).await? else { continue };
            let undoes_another = state.status() == runbook::RunStatus::Cancelling && state.digest() != plan.digest();
            if takes_up(&state, &plan.digest()) {
                others.extend(same.replace(run));
            } else if !undoes_another {
                others.push(run);
            }
        }
        let same = match same {
            Some(run) => Some(run),
            None => self.done_before(order, &plan.digest()).await?,
        };
        let run = match same {
            Some(run) => run,
            None => run_id(&plan, self.drawn, journal.run_count().await?)?,
        };
        for other in &others {
            self.driver.supersede(other).await.map_err(decided_by_reading_again)?;
            self.set_status(other, RunStatus::Superseded);
        }
        self.driver.open_run(&run, &plan).await.map_err(decided_by_reading_again)?;
        self.given_up.remove(&run);
        self.publish_run(&run, order, RunStatus::Running);
        Ok(run)
    }

    /// The finished run whose claims hold everything that a blackout would take. Whoever orders again what
    /// is done, such as an operator after a restart who did not see its end, is answered that run: another
    /// one would find nothing to take and fail as if somebody else had been first.
    async fn done_before(&self, order: &Order, plan: &Digest) -> Result<Option<RunId>, Error> {
        let Order::Blackout { lost } = order else { return Ok(None) };
        // A blackout is legal also while the witness does not answer: its run waits for it.
        let Ok(heads) = self.parts.heads().await else { return Ok(None) };
        if !matches!(self.parts.takeable_of(lost, &heads).await.as_deref(), Ok([])) {
            return Ok(None);
        }
        let ours = heads.iter().filter(|head| head.owner == self.parts.region);
        for claim in ours.filter_map(|head| head.claim.as_ref()).filter(|claim| claim.plan == *plan) {
            let state = self.driver.journal().run(&claim.run).await?;
            if state.is_some_and(|state| state.status() == runbook::RunStatus::Closed(RunResult::Done)) {
                return Ok(Some(claim.run.clone()));
            }
        }
        Ok(None)
    }
}
