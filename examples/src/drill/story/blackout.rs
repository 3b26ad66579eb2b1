//! The survivor takes over by itself; the lost region is woken and its stale mandates are tried.

use std::process::Stdio;
use std::time::Duration;

use dcp_core::Error;
use dcp_core::control_plane::{Order, RunStatus};
use dcp_core::ownership::Epoch;

use super::{LOST, SURVIVOR, Stage};
use crate::drill::record::{Dark, Phase};
use crate::drill::stale::StaleReport;
use crate::producer::Progress;
use crate::region::{OrderRequest, RegionStatus};

impl Stage {
    pub(super) async fn dark(&mut self) -> Result<Phase, Error> {
        let lost = Order::Blackout { lost: LOST.region_id() };
        if !self.saw_darkness && !self.has_taken_over().await {
            // A plane starts a blackout by itself only if it saw the lease renewed in its own life; if everything
            // was restarted in the dark, an operator orders it.
            let (_, control) = self.group.region(SURVIVOR)?;
            control.carry_out(OrderRequest::without_token(lost), &*self.clock).await?;
        }
        let mut level = self.group_level();
        self.group.hold(level).await?;
        let deadline = self.clock.now().after(self.record.ttl() * 4 + Duration::from_secs(120));
        loop {
            if self.has_taken_over().await && self.acknowledged_by_survivor() {
                break;
            }
            if self.clock.now() > deadline {
                return Err(Error::stopped("no-takeover", format!("{} did not take over", SURVIVOR.region())));
            }
            if self.record.dark == Some(Dark::Cut) {
                level = (level + self.step_of_cut()).min(self.record.turns.return_at);
                self.group.hold(level).await?;
            }
            self.clock.sleep(Duration::from_millis(20)).await;
        }
        self.record.taken_over_in_one = !self.resumed;
        self.folder.save(&self.record)?;
        self.printer.say(&format!("{} has taken over and acknowledges", SURVIVOR.region()));
        if self.record.dark == Some(Dark::Cut) && self.group.runs(LOST) {
            // What was held between check and commit goes on, without a lease, and is not counted.
            self.group.region(LOST)?.1.release().await?;
        }
        self.produce_to(self.record.turns.return_at).await?;
        Ok(Phase::TakenOver)
    }

    fn group_level(&self) -> u64 {
        if self.record.dark == Some(Dark::Cut) { self.record.turns.dark_at } else { self.record.turns.return_at }
    }

    async fn has_taken_over(&self) -> bool {
        let Ok((_, control)) = self.group.region(SURVIVOR) else { return false };
        control.status().await.is_ok_and(|status| status.open.len() == 8 && !blackout_runs(&status))
    }

    fn acknowledged_by_survivor(&self) -> bool {
        let progress = self.group.producer(LOST).map(|producer| producer.progress()).unwrap_or_default();
        first_by_survivor(&progress).is_some() || self.is_at(LOST, &progress, self.record.turns.return_at)
    }

    pub(super) async fn wake(&mut self) -> Result<Phase, Error> {
        match self.record.dark {
            Some(Dark::Pause) if self.group.runs(LOST) => {
                self.group.wake_region(LOST).await?;
                self.group.region(LOST)?.1.release().await?;
            }
            Some(Dark::Network) if self.group.runs(LOST) => {
                let (inward, outward) = self.group.reconnect_region(LOST).await?;
                self.printer.say(&format!(
                    "the kernel has dropped {inward} packets to {} and {outward} from it",
                    LOST.region()
                ));
                self.until_status(LOST, "an answer after the network is back", |_| true).await?;
                self.group.region(LOST)?.1.release().await?;
            }
            _ if !self.group.runs(LOST) => {
                let record = self.record.clone();
                self.group.start_servers(&[LOST], &mut self.tasks).await?;
                self.group.start_region(LOST, &record, &mut self.tasks).await?;
            }
            _ => {}
        }
        self.printer.say(&format!("{} is awake; its stale mandates are tried", LOST.region()));
        let report = self.try_stale(self.record.turns.return_at, &[]).await?;
        if self.record.dark == Some(Dark::Cut) {
            self.group.mend(LOST)?;
        }
        self.record.stale = Some(report);
        Ok(Phase::Awake)
    }

    /// Tries the lost region's first mandates with lines that come after this record.
    pub(super) async fn try_stale(&self, after: u64, more: &[&str]) -> Result<StaleReport, Error> {
        let failed = |cause: std::io::Error| Error::stopped("no-child", format!("stale: {cause}"));
        let mut command = tokio::process::Command::new(std::env::current_exe().map_err(failed)?);
        command
            .arg("stale")
            .arg("--dir")
            .arg(self.folder.path())
            .args(["--address", &self.group.address(LOST)?.to_string()])
            .args(["--lines", &self.record.turns.lines.to_string()])
            .args(["--after", &after.to_string()])
            .args(more)
            .args(["--parent", &std::process::id().to_string()])
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if let Some(data) = self.data() {
            command.arg("--data").arg(data);
        }
        let output = command.output().await.map_err(failed)?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Error::stopped("stale-failed", said));
        }
        serde_json::from_slice(&output.stdout).map_err(|cause| Error::stopped("stale-failed", cause.to_string()))
    }
}

fn blackout_runs(status: &RegionStatus) -> bool {
    let running =
        |(order, run): &(Order, RunStatus)| matches!(order, Order::Blackout { .. }) && *run == RunStatus::Running;
    status.plane.runs.values().any(running)
}

fn first_by_survivor(progress: &Progress) -> Option<u64> {
    let newer = progress.first_acks.iter().filter(|ack| ack.by == SURVIVOR.region_id() && ack.epoch > Epoch::GENESIS);
    newer.map(|ack| ack.at_ns).min()
}
