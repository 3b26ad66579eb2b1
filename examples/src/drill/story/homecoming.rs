//! The slices go home one after the other; then everything settles.

use std::collections::BTreeMap;
use std::time::Duration;

use dcp_core::control_plane::{Order, RunStatus};
use dcp_core::fence::{PresentedToken, Term};
use dcp_core::ids::{HolderId, SliceId, SliceRef};
use dcp_core::{Error, ErrorKind};

use super::{LOST, SURVIVOR, Stage};
use crate::drill::record::Phase;
use crate::drill::stale::token_of;
use crate::orders::Home;
use crate::region::{OrderRequest, RegionStatus};

// A region that gets on shows it well within this time, on the slowest machine that was tried.
const STILL: Duration = Duration::from_secs(10);
const ASKED_MAX: u32 = 600;
const ASKED_EVERY: Duration = Duration::from_millis(50);
// Lines of one move are let go in so many bits, over two seconds.
const FEED_BITS: u64 = 40;
const FEED_PAUSE: Duration = Duration::from_millis(50);

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
        tokio::select! {
            biased;
            moved = self.bring_home(&slice) => moved?,
            fed = self.feed(self.level_before(home), level) => fed?,
        }
        self.produce_to(level).await?;
        self.printer.say(&format!("{slice} is at home again"));
        Ok(Phase::Homecoming(home + 1))
    }

    // Lets lines go bit by bit for as long as a move may take, and never ends by itself.
    async fn feed(&self, from: u64, to: u64) -> Result<(), Error> {
        let bit = ((to - from) / FEED_BITS).max(1);
        let mut level = from;
        loop {
            level = (level + bit).min(to);
            self.group.hold(level).await?;
            if level == to {
                std::future::pending::<()>().await;
            }
            self.clock.sleep(FEED_PAUSE).await;
        }
    }

    // After a crash the slice may be owned at home already; its plane then ends the run by itself.
    async fn bring_home(&self, slice: &SliceRef) -> Result<(), Error> {
        let order = Order::Switchover { slice: slice.clone(), from: SURVIVOR.region_id() };
        let (_, control) = self.group.region(LOST)?;
        let request = OrderRequest { order: order.clone(), token: Some(self.present_token(slice).await?) };
        match control.carry_out(request, &*self.clock).await {
            Err(error) if self.resumed && matches!(error.code(), "not-from-owner" | "stale" | "lease-run-out") => {}
            ended => return ended.map(|_| ()),
        }
        self.until_status(LOST, "the end of a planned move that a crash interrupted", |status| {
            let runs = |(driven, run): &(Order, RunStatus)| *driven == order && *run == RunStatus::Running;
            status.open.contains_key(&slice.to_string()) && !status.plane.runs.values().any(runs)
        })
        .await
        .map(|_| ())
    }

    // The order that is refused under the lost region's first token is taken under its owner's present one.
    async fn present_token(&self, slice: &SliceRef) -> Result<PresentedToken, Error> {
        let foundation = self.folder.foundation();
        let (treaty, mut grant) = (foundation.treaty()?, None);
        let (_, control) = self.group.region(SURVIVOR)?;
        for _ in 0..ASKED_MAX {
            match control.ownership(SURVIVOR, slice, &treaty).await {
                Err(error) if error.kind() == ErrorKind::Retry => self.clock.sleep(ASKED_EVERY).await,
                answer => {
                    grant = Some(answer?);
                    break;
                }
            }
        }
        let unknown = || Error::stopped("story-stuck", format!("{slice}: {} knows no owner", SURVIVOR.region()));
        let grant = grant.ok_or_else(unknown)?;
        let term = Term { issuer: grant.owner.clone(), holder: HolderId::new("operator")?, revision: 1 };
        Ok(token_of(&grant, term, &*foundation.signer(&grant.owner)?, &treaty)?.to_presented())
    }

    // 5 % of the lines from one move to the next, as far as there are so many.
    fn level_before(&self, move_number: usize) -> u64 {
        let turns = &self.record.turns;
        let begin = turns.return_at + (turns.lines - turns.return_at) / 4;
        let step = (turns.lines / 20).min((turns.lines - begin) / 5);
        begin + step * move_number as u64
    }

    fn level_after(&self, move_number: usize) -> u64 {
        self.level_before(move_number + 1)
    }

    /// Waits until every log is mirrored, applied and clean, and notes what each region says. What
    /// no longer changes is judged as it is: a region that has stopped copying is a finding.
    pub(super) async fn settle(&mut self) -> Result<Phase, Error> {
        self.printer.say("all lines are acknowledged; mirrors and projections settle");
        let patience = STILL + self.record.ttl() * 4;
        let mut until = self.clock.now().after(patience);
        loop {
            for home in Home::ALL {
                let status = self.until_status(home, "a status", |_| true).await?;
                let last = self.record.last_status.insert(home.region().to_owned(), status.clone());
                if last.is_none_or(|last| progress_of(&last) != progress_of(&status)) {
                    until = self.clock.now().after(patience);
                }
            }
            // Settled at different moments, one may have met records that the other had not yet.
            let mut held = self.record.last_status.values().map(|status| status.records);
            let first = held.next();
            let level = held.all(|records| Some(records) == first);
            if level && self.record.last_status.values().all(|status| self.is_settled(status)) {
                return Ok(Phase::Ended);
            }
            if self.clock.now() > until {
                self.printer.say("the regions do not settle; they are judged as they are");
                return Ok(Phase::Ended);
            }
            self.clock.sleep(Duration::from_millis(20)).await;
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

// What rises for as long as a region gets on: records held, records applied by its projections.
fn progress_of(status: &RegionStatus) -> (u64, u64, u64) {
    let applied = status.replay.applied.values().flat_map(|logs| logs.values()).sum();
    (status.records, applied, status.replay.dirty.values().sum())
}
