//! The slices go home one after the other; then everything settles.

use std::collections::BTreeMap;

use dcp_core::Error;
use dcp_core::control_plane::{Order, RunStatus};
use dcp_core::ids::{SliceId, SliceRef};

use super::{LOST, SURVIVOR, Stage};
use crate::drill::record::Phase;
use crate::orders::Home;
use crate::region::RegionStatus;

const SLICES: [&str; 4] = ["s10", "s15", "s25", "s50"];

impl Stage {
    pub(super) async fn homecoming(&mut self, home: usize) -> Result<Phase, Error> {
        let Some(slice) = SLICES.get(home) else {
            self.printer.say("every slice is at home; the rest is produced");
            self.produce_to(self.record.turns.lines).await?;
            return Ok(Phase::Produced);
        };
        let slice = SliceRef::new(LOST.scope_id(), SliceId::new(slice)?);
        // Production goes on during the move, so that the write pause is one that producers feel.
        let level = self.level_after(home);
        self.group.hold(level).await?;
        self.bring_home(&slice).await?;
        self.produce_to(level).await?;
        self.printer.say(&format!("{slice} is at home again"));
        Ok(Phase::Homecoming(home + 1))
    }

    // After a crash the slice may be owned at home already; its plane then ends the run by itself.
    async fn bring_home(&self, slice: &SliceRef) -> Result<(), Error> {
        let order = Order::Switchover { slice: slice.clone(), from: SURVIVOR.region_id() };
        let (_, control) = self.group.region(LOST)?;
        match control.carry_out(order.clone(), &*self.clock).await {
            Err(error) if self.resumed && error.code() == "not-from-owner" => {}
            ended => return ended.map(|_| ()),
        }
        self.until_status(LOST, "the end of a planned move that a crash interrupted", |status| {
            let runs = |(driven, run): &(Order, RunStatus)| *driven == order && *run == RunStatus::Running;
            status.open.contains_key(&slice.to_string()) && !status.plane.runs.values().any(runs)
        })
        .await
        .map(|_| ())
    }

    // 5 % of the lines from one move to the next, as far as there are so many.
    fn level_after(&self, moved: usize) -> u64 {
        let turns = &self.record.turns;
        let begin = turns.return_at + (turns.lines - turns.return_at) / 4;
        let step = (turns.lines / 20).min((turns.lines - begin) / 5);
        begin + step * (moved as u64 + 1)
    }

    /// Waits until every log is mirrored, applied and clean, and notes what each region says.
    pub(super) async fn settle(&mut self) -> Result<Phase, Error> {
        self.printer.say("all lines are acknowledged; mirrors and projections settle");
        loop {
            for home in Home::ALL {
                let what = "mirrors and projections that are complete";
                let status = self.until_status(home, what, |status| self.is_settled(status)).await?;
                self.record.last_status.insert(home.region().to_owned(), status);
            }
            // Settled at different moments, one may have met records that the other had not yet.
            let mut held = self.record.last_status.values().map(|status| status.records);
            let first = held.next();
            if held.all(|records| Some(records) == first) {
                return Ok(Phase::Ended);
            }
        }
    }

    // Every record that the store holds is applied by every projection, and nothing is dirty.
    fn is_settled(&self, status: &RegionStatus) -> bool {
        let applied = |logs: &BTreeMap<_, u64>| logs.values().sum::<u64>() == status.records;
        let complete = !status.replay.applied.is_empty() && status.replay.applied.values().all(applied);
        let clean = status.replay.dirty.values().all(|streams| *streams == 0);
        let level = status.links.values().all(|link| link.connected && link.lag_records() == 0);
        status.records >= self.record.turns.lines && complete && clean && level
    }
}
