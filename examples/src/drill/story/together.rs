//! Both regions produce, mirror and project; then the first one goes dark.

use std::collections::BTreeSet;
use std::time::Duration;

use dcp_core::Error;
use dcp_core::clock::{Clock as _, SystemClock};
use dcp_core::log::LogId;
use dcp_core::ports::failpoints::points;

use super::{LOST, SURVIVOR, Stage};
use crate::drill::record::{Dark, FaultFact, Phase};
use crate::orders::Home;
use crate::region::{Arming, RegionStatus};

// How long an append may take to come by the armed failpoint.
const HELD_WITHIN: Duration = Duration::from_secs(20);

impl Stage {
    pub(super) async fn together(&mut self) -> Result<Phase, Error> {
        for home in Home::ALL {
            self.until_status(home, "four open slices", |status| status.open.len() == 4).await?;
        }
        self.printer.say("both regions are open; they produce, mirror and project");
        let Some(dark) = self.record.dark else {
            self.produce_to(self.record.turns.lines).await?;
            return Ok(Phase::Produced);
        };
        self.grow_tail().await?;
        let held = self.hold_appends(dark).await?;
        let fault = self.fault(held).await?;
        self.record.fault = Some(fault.clone());
        // Durable before it happens: a region that was dark stays dark, whatever is killed now. That it
        // has happened is noted after it.
        self.enter(Phase::Dark)?;
        self.go_dark(dark).await?;
        self.saw_darkness = true;
        self.folder.save(&self.record)?;
        self.printer.say(&format!(
            "{} goes dark ({}) with {} acknowledged lines, {} of them mirrored",
            LOST.region(),
            dark.name(),
            fault.acknowledged,
            fault.mirrored
        ));
        Ok(Phase::Dark)
    }

    // The link is throttled to nothing shortly before the fault, so that a tail is acknowledged and
    // not mirrored; heartbeats still pass, so that the exposure is known.
    async fn grow_tail(&self) -> Result<(), Error> {
        let turns = &self.record.turns;
        let before = self.tail_begin();
        self.produce_to(before).await?;
        let (_, control) = self.group.region(SURVIVOR)?;
        self.until_status(SURVIVOR, "a mirror that is complete", |status| {
            mirrored(status) >= self.own_lines_to(LOST, before)
        })
        .await?;
        // One more heartbeat over the complete mirror, so that a bound is known for every log.
        let complete = self.clock.now();
        self.until_status(SURVIVOR, "a heartbeat over the complete mirror", |status| {
            let age = status.links.get(&LOST.region_id()).and_then(|link| link.heartbeat_age);
            age.is_some_and(|age| age < self.clock.now().since(complete))
        })
        .await?;
        control.throttle(Some(0)).await?;
        // What the link was already being answered it still applies: more lines go until there is a tail.
        let mut level = turns.dark_at;
        loop {
            self.produce_to(level).await?;
            if self.unmirrored().await? >= turns.tail || level + 1 >= turns.return_at {
                return Ok(());
            }
            level = (level + turns.tail / 10 + 1).min(turns.return_at - 1);
        }
    }

    // Lines of the lost region that are acknowledged and not mirrored.
    async fn unmirrored(&self) -> Result<u64, Error> {
        let acknowledged = self.group.producer(LOST)?.progress().acknowledged;
        let mirrored = mirrored(&self.group.region(SURVIVOR)?.1.status().await?);
        Ok(acknowledged.saturating_sub(mirrored))
    }

    // The last record before which the lost region's own lines still make more than the tail.
    fn tail_begin(&self) -> u64 {
        let turns = &self.record.turns;
        let wanted = self.own_lines_to(LOST, turns.dark_at).saturating_sub(turns.tail + turns.tail / 10 + 1);
        (0..=turns.dark_at).rev().find(|record| self.own_lines_to(LOST, *record) <= wanted).unwrap_or(0)
    }

    // One append is held exactly between check and commit, unless the region is to be killed, and one
    // between commit and answer: should a crash of everything take the first with it, the second has
    // left a record that nobody was promised. Of odd partitions: in `cut` the even ones go on
    // preferring the lost region.
    async fn hold_appends(&self, dark: Dark) -> Result<Option<String>, Error> {
        let wanted = match dark {
            Dark::Kill => vec![(points::APPEND_COMMITTED, 1)],
            Dark::Pause | Dark::Cut | Dark::Network => vec![(points::APPEND_CHECKED, 1), (points::APPEND_COMMITTED, 3)],
        };
        let (_, control) = self.group.region(LOST)?;
        for (point, of_four) in &wanted {
            let partitions = (0..crate::orders::PARTITIONS).filter(|partition| partition % 4 == *of_four);
            let log = |partition| LogId::new(LOST.scope_id(), LOST.region_id(), partition).to_string();
            let details: BTreeSet<String> = partitions.map(log).collect();
            control.arm(&Arming { point: (*point).to_owned(), details }).await?;
        }
        // From here to the survivor's first acknowledgement the lost region's producer never holds.
        let level = if dark == Dark::Cut { self.record.turns.dark_at } else { self.record.turns.return_at };
        self.group.hold(level).await?;
        let deadline = self.clock.now().after(HELD_WITHIN);
        let mut level = level;
        while self.clock.now() < deadline {
            let held = control.status().await?.held.at;
            if wanted.iter().all(|(point, _)| held.contains_key(*point)) {
                return Ok(wanted.first().and_then(|(point, _)| held.get(*point).cloned()));
            }
            if dark == Dark::Cut {
                level = (level + self.step_of_cut()).min(self.record.turns.return_at);
                self.group.hold(level).await?;
            }
        }
        Ok(None)
    }

    /// In `cut` the lost region still acknowledges: lines are let go in steps, so that they last
    /// until the survivor has taken over.
    pub(super) fn step_of_cut(&self) -> u64 {
        let room = self.record.turns.return_at - self.record.turns.dark_at;
        let steps = (self.record.ttl() * 3).as_millis() / 20;
        (room / u64::try_from(steps).unwrap_or(1).max(1)).max(1)
    }

    async fn fault(&self, held: Option<String>) -> Result<FaultFact, Error> {
        let (_, control) = self.group.region(SURVIVOR)?;
        let mirrored = mirrored(&control.status().await?);
        let acknowledged = self.group.producer(LOST)?.progress().acknowledged;
        Ok(FaultFact { at_ns: SystemClock::monotonic().now().as_nanos(), acknowledged, mirrored, held, happened: None })
    }

    async fn go_dark(&mut self, dark: Dark) -> Result<(), Error> {
        let at_ns = SystemClock::monotonic().now().as_nanos();
        match dark {
            Dark::Pause => self.group.pause_region(LOST).await?,
            Dark::Kill => self.group.kill_region(LOST).await?,
            Dark::Cut => self.group.isolate(LOST)?,
            Dark::Network => self.group.cut_off_region(LOST).await?,
        }
        if let Some(fault) = &mut self.record.fault {
            (fault.at_ns, fault.happened) = (at_ns, Some(dark));
        }
        // The link may go as fast as it can again: there is nothing to copy from.
        self.group.region(SURVIVOR)?.1.throttle(None).await
    }
}

/// Records of the lost region's scope that a region has mirrored from it.
pub(super) fn mirrored(status: &RegionStatus) -> u64 {
    let logs = status.links.get(&LOST.region_id()).map(|link| &link.logs);
    let users = logs.into_iter().flatten().filter(|(log, _)| !log.is_companion() && log.scope() == &LOST.scope_id());
    users.map(|(_, progress)| progress.applied.count).sum()
}
