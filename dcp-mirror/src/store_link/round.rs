//! The worker's round: read what to do, look at the source, decide, copy.

use std::collections::BTreeMap;

use dcp_core::clock::Moment;
use dcp_core::log::LogId;
use dcp_core::ports::{EventWriter, WriterRole};
use dcp_core::position::{Cut, PrefixDigest};
use dcp_core::{Error, ErrorKind, Failure};
use tokio_util::sync::CancellationToken;

use super::observe::{Missed, ask, compare, contradiction, views};
use super::transfer::{Trouble, Turn, turn};
use super::work::{LogWork, load, newest_heartbeat};
use super::{StoreLink, state};
use crate::backoff;
use crate::decide::{Decision, Divergence, decide, share_out};
use crate::lanes::{Lane, in_lanes};
use crate::state_machine::StoredState;
use crate::telemetry;

/// One running worker of a link.
pub(super) struct Worker<'a> {
    link: &'a StoreLink,
    all: Vec<LogId>,
    writer: Option<Box<dyn EventWriter>>,
    works: BTreeMap<LogId, LogWork>,
    /// Call neither store before this.
    retry_at: Moment,
    attempts: u32,
    turn: usize,
}

impl<'a> Worker<'a> {
    pub(super) fn new(link: &'a StoreLink) -> Self {
        let all = link.settings.logs.iter().cloned().collect();
        let retry_at = link.ports.clock.now();
        Self { link, all, writer: None, works: BTreeMap::new(), retry_at, attempts: 0, turn: 0 }
    }

    /// One round; answers whether there is more to do at once.
    pub(super) async fn round(&mut self, interrupt: &CancellationToken) -> Result<bool, Error> {
        let link = self.link;
        let stored = match state::read(link.ports.state.as_ref(), &link.settings.id).await {
            Ok((stored, _)) => stored,
            // Not known what to do: copy nothing.
            Err(error) if error.kind() == ErrorKind::Retry => return Ok(false),
            Err(error) => return Err(error),
        };
        self.adopt(&stored);
        if link.ports.clock.now() < self.retry_at {
            return Ok(false);
        }
        match self.stand().await {
            Ok(()) => {}
            Err(Failure::NotApplied(error)) if error.kind() != ErrorKind::Retry => return Err(error),
            Err(failure) => {
                let cause = failure.to_string();
                tracing::warn!(
                    target: telemetry::TARGET, link = %link.settings.id, cause, "{}", telemetry::LOCAL_SILENT
                );
                self.back_off();
                return Ok(false);
            }
        }
        let asked = link.ports.clock.now();
        let ends = match ask(link, interrupt, link.ports.source.ends(&self.all)).await {
            Ok(ends) => ends,
            Err(missed) => return self.missed(None, None, missed).await,
        };
        self.connected();
        link.live.source_ends(&ends);
        let mut observed = match views(&ends, &self.works) {
            Ok(observed) => observed,
            Err((log, missed)) => return self.missed(Some(&log), Some(&ends), missed).await,
        };
        if let Err((log, missed)) = compare(link, interrupt, &mut observed).await {
            return self.missed(Some(&log), Some(&ends), missed).await;
        }
        // Of another history the counts say nothing about what is missing here.
        let same = observed.iter().filter(|(_, view)| view.agrees());
        link.live.showed(asked, same.map(|(log, view)| (log, view.source.prefix.count)));
        match decide(&stored, &observed) {
            Decision::Rest => {
                self.settle();
                Ok(false)
            }
            Decision::Fail(divergence) => self.fail(&divergence).await,
            Decision::Copy(upto) => {
                for log in upto.keys() {
                    if let Some(work) = self.works.get_mut(log) {
                        work.checked = true;
                    }
                }
                self.copy(interrupt, &ends, &upto).await
            }
        }
    }

    /// Opens the writer, which fences a predecessor, and reads where the mirror stands after that; of
    /// the logs of which it is not known. The writer outlives a failed reading: opened once more it would
    /// fence a successor.
    async fn stand(&mut self) -> Result<(), Failure> {
        let link = self.link;
        if self.writer.is_none() {
            let role = WriterRole::Mirror(link.settings.id.clone());
            self.writer = Some(link.ports.local.open_writer(&self.all, role).await?);
        }
        let unknown: Vec<LogId> = self.all.iter().filter(|log| !self.works.contains_key(log)).cloned().collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let loaded = load(link, &unknown).await.map_err(Failure::NotApplied)?;
        let companions = loaded.iter().filter(|(log, work)| log.is_companion() && work.applied.count > 0);
        let tails: Vec<_> = companions.map(|(log, work)| (log.clone(), work.cursor, work.local_last)).collect();
        for (log, cursor, last) in tails {
            let newest = newest_heartbeat(link.ports.local.as_ref(), &log, cursor, last).await;
            if let Some(heartbeat) = newest.map_err(Failure::NotApplied)? {
                link.live.restore(&log, heartbeat);
            }
        }
        self.works.extend(loaded);
        Ok(())
    }

    fn back_off(&mut self) {
        let link = self.link;
        let (first, most) = (link.settings.backoff_first, link.settings.backoff_most);
        let pause = backoff::pause(first, most, self.attempts, &link.ports.entropy.draw());
        self.attempts = self.attempts.saturating_add(1);
        self.retry_at = link.ports.clock.now().after(pause);
    }

    fn adopt(&mut self, stored: &StoredState) {
        let link = self.link;
        let state = stored.effective();
        if link.live.adopt(state) {
            self.works.values_mut().for_each(|work| work.checked = false);
            tracing::info!(target: telemetry::TARGET, link = %link.settings.id, ?state, "{}", telemetry::LINK_STATE);
        }
    }

    fn connected(&mut self) {
        self.attempts = 0;
        if self.link.live.set_connected(true) {
            tracing::info!(target: telemetry::TARGET, link = %self.link.settings.id, "{}", telemetry::LINK_CONNECTED);
        }
    }

    /// The source gave nothing.
    async fn missed(&mut self, log: Option<&LogId>, ends: Option<&Cut>, missed: Missed) -> Result<bool, Error> {
        let link = self.link;
        match missed {
            Missed::Interrupted => Ok(false),
            Missed::Refused(error) => Err(error),
            Missed::Unreachable(cause) => {
                if link.live.set_connected(false) {
                    tracing::warn!(
                        target: telemetry::TARGET, link = %link.settings.id, %cause, "{}", telemetry::LINK_DISCONNECTED
                    );
                }
                for work in self.works.values_mut() {
                    work.reader = None;
                    work.checked = false;
                }
                self.back_off();
                Ok(false)
            }
            Missed::Contradicts(error) => {
                let Some(log) = log.or(self.all.first()).cloned() else { return Err(error) };
                let mirror = self.works.get(&log).map_or(PrefixDigest::EMPTY, |work| work.applied);
                self.fail(&contradiction(&log, ends, mirror, &error)).await
            }
        }
    }

    /// Keeps the failure, durably. Until that is known nothing is copied: each round decides again.
    async fn fail(&mut self, divergence: &Divergence) -> Result<bool, Error> {
        let link = self.link;
        match state::fail(link.ports.state.as_ref(), &link.settings.id, divergence).await {
            Ok(()) => {
                tracing::error!(
                    target: telemetry::TARGET, link = %link.settings.id, failure = %divergence,
                    "{}", telemetry::LINK_FAILED
                );
                Ok(false)
            }
            Err(Failure::InDoubt(_)) => Ok(false),
            Err(Failure::NotApplied(error)) if error.kind() == ErrorKind::Retry => Ok(false),
            Err(Failure::NotApplied(error)) => Err(error),
        }
    }

    async fn copy(
        &mut self,
        interrupt: &CancellationToken,
        ends: &Cut,
        upto: &BTreeMap<LogId, u64>,
    ) -> Result<bool, Error> {
        let link = self.link;
        let Some(writer) = self.writer.as_deref() else { return Ok(false) };
        let lag = upto
            .iter()
            .filter_map(|(log, upto)| self.works.get(log).map(|work| (log.clone(), upto - work.applied.count)))
            .collect();
        let allowance = link.live.allowance(link.ports.clock.now());
        let shares: BTreeMap<LogId, u64> =
            share_out(&lag, link.settings.batch_records as u64, allowance, self.turn).into_iter().collect();
        self.turn = self.turn.wrapping_add(1);
        let mut turns: Vec<Lane<'_, _>> = Vec::with_capacity(shares.len());
        for (log, work) in &mut self.works {
            if let (Some(quota), Some(end)) = (shares.get(log).copied(), ends.get(log)) {
                turns.push(Box::pin(async move {
                    (log.clone(), turn(link, writer, interrupt, log, work, end.incarnation, quota).await)
                }));
            }
        }
        let turns = in_lanes(turns, link.settings.lanes).await;
        let copied: u64 = turns.iter().map(|(_, turn)| turn.copied).sum();
        let mut again = copied > 0 && allowance.is_none();
        for (log, turn) in turns {
            again &= self.ended(&log, ends, turn).await?;
        }
        self.settle();
        Ok(again)
    }

    /// Accounts for one log's turn; answers whether the link may go on at once.
    async fn ended(&mut self, log: &LogId, ends: &Cut, turn: Turn) -> Result<bool, Error> {
        let link = self.link;
        if !log.is_companion() {
            link.live.spend(turn.copied);
        }
        match turn.ended {
            Ok(()) => {
                for heartbeat in turn.heartbeats {
                    link.live.arrived(log, heartbeat);
                }
                Ok(true)
            }
            Err(Trouble::Missed(missed)) => self.missed(Some(log), Some(ends), missed).await,
            Err(Trouble::Resume(cause)) => {
                tracing::warn!(
                    target: telemetry::TARGET, link = %link.settings.id, %log, cause, "{}", telemetry::LOG_RESUMED
                );
                self.works.remove(log);
                Ok(false)
            }
            Err(Trouble::Local(error)) => Err(error.at(log)),
        }
    }

    fn settle(&self) {
        let applied = self.works.iter().map(|(log, work)| (log.clone(), work.applied)).collect();
        self.link.live.settle(&applied);
    }
}
