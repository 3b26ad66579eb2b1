//! One partition: one batch in flight, sent again until every line of it is acknowledged.

use std::collections::BTreeSet;
use std::sync::Arc;

use dcp_core::clock::Moment;
use dcp_core::error::Error;
use dcp_core::event::NewEvent;
use dcp_core::ids::{RegionId, SliceRef};
use dcp_core::log::LogId;
use dcp_core::ownership::Epoch;
use dcp_core::ports::{AppendRequest, Appended};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::super::decide::{Next, Outcome, Owner, Route, check_answer, judge, next_batch};
use super::super::evidence::{Ack, Doubt};
use super::super::work::Lane;
use super::Shared;
use super::late::Question;
use crate::orders::{event_id, new_event};

/// Sends all lines of a partition. `resumed`: a batch may have been in flight when an earlier
/// process ended. `alive` is dropped at the end of the last partition.
pub(super) async fn run(
    shared: Arc<Shared>,
    partition: u32,
    lane: Lane,
    resumed: bool,
    alive: Arc<DropGuard>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let prefers_home = shared.settings.prefer_home && partition.is_multiple_of(2);
    let mut route = Route::new(shared.home.clone(), prefers_home);
    let mut gate = shared.gate.watch();
    let mut next = lane.done;
    if resumed {
        shared.doubt_unknown(lane.lines.get(next..).unwrap_or(&[])).await?;
    }
    while next < lane.lines.len() {
        let level = *gate.borrow_and_update();
        let range = next_batch(&lane.lines, next, level, shared.settings.batch_lines);
        if range.is_empty() {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                _ = gate.changed() => continue,
            }
        }
        let lines = &lane.lines[range.clone()];
        let batch = Batch::build(&shared, &lane.slice, partition, lines)?;
        let counted = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            counted = batch.deliver(&shared, &mut route) => counted?,
        };
        shared.evidence.acknowledged(&batch.acks(&counted)).await?;
        next = range.end;
        let first = (&lane.slice, counted.to.epoch, &counted.to.region, counted.at);
        shared.board.acknowledged(partition, range.len() as u64, lane.lines.get(next).copied(), first);
    }
    drop(alive);
    Ok(())
}

impl Shared {
    /// Notes the lines that an earlier process may have had in flight: as many as one batch.
    async fn doubt_unknown(&self, rest: &[u64]) -> Result<(), Error> {
        let lines = &rest[..rest.len().min(self.settings.batch_lines)];
        if lines.is_empty() {
            return Ok(());
        }
        let doubt =
            |line: &u64| Doubt { id: event_id(*line), line: *line, log: None, epoch: None, by: None, sent_ns: None };
        self.evidence.in_doubt(&lines.iter().map(doubt).collect::<Vec<_>>()).await?;
        self.board.in_doubt();
        Ok(())
    }
}

/// Lines that go together, with their events as they are sent each time.
struct Batch<'a> {
    slice: &'a SliceRef,
    partition: u32,
    lines: &'a [u64],
    events: Vec<NewEvent>,
}

/// An answer that was counted.
struct Counted {
    to: Owner,
    sent: Moment,
    at: Moment,
    appended: Appended,
}

impl<'a> Batch<'a> {
    fn build(shared: &Shared, slice: &'a SliceRef, partition: u32, lines: &'a [u64]) -> Result<Self, Error> {
        let mut events = Vec::with_capacity(lines.len());
        for number in lines {
            let line = shared
                .orders
                .line(*number)
                .ok_or_else(|| Error::corrupt("no-such-line", format!("the order lines end before {number}")))?;
            events.push(new_event(&line)?);
        }
        Ok(Self { slice, partition, lines, events })
    }

    /// Sends the batch to the current owner until an answer is counted. Each region and epoch in
    /// which it may have been applied is noted once, before it is sent again.
    async fn deliver(&self, shared: &Shared, route: &mut Route) -> Result<Counted, Error> {
        let mut doubted: BTreeSet<Owner> = BTreeSet::new();
        loop {
            let newest = shared.owners.newest(self.slice);
            let Some(to) = route.target(newest.as_ref()) else {
                self.ask(shared, route, newest.as_ref()).await?;
                continue;
            };
            let (outcome, sent, at) = self.send(shared, &to).await?;
            match route.after(&to, &outcome) {
                Next::Done => {
                    let Outcome::Counted(appended) = outcome else { continue };
                    check_answer(&self.slice.scope, self.partition, &self.events, &appended)
                        .map_err(|error| error.at(&to.region))?;
                    return Ok(Counted { to, sent, at, appended });
                }
                Next::Again { in_doubt } => {
                    if in_doubt && doubted.insert(to.clone()) {
                        shared.evidence.in_doubt(&self.doubts(&to, sent)).await?;
                        shared.board.in_doubt();
                    }
                }
                Next::Stop(error) => {
                    return Err(error.at(format!("{}: lines from {}", to.region, self.lines[0])));
                }
            }
            // Another partition of the slice may have learned of a newer owner already.
            if shared.owners.newest(self.slice).is_none_or(|newest| newest.epoch <= to.epoch) {
                self.ask(shared, route, Some(&to)).await?;
            }
        }
    }

    /// One attempt. The answer is awaited for the deadline; what comes later is evidence and no more.
    async fn send(&self, shared: &Shared, to: &Owner) -> Result<(Outcome, Moment, Moment), Error> {
        let endpoint = Arc::clone(shared.owners.endpoint(&to.region)?);
        let request = AppendRequest::new(self.slice.scope.clone(), self.partition, to.epoch, self.events.clone());
        let deadline = shared.settings.treaty.lease().request_deadline();
        // The deadline runs from before the first stamp to after the second, so it can only be
        // judged as longer than the stamps show.
        let started = shared.clock.now();
        let sent = shared.stamps.now();
        let mut asked = Box::pin(async move { endpoint.append(request).await });
        let answer = tokio::select! {
            biased;
            answer = &mut asked => Some(answer),
            () = shared.clock.sleep_until(started.after(deadline)) => None,
        };
        let at = shared.stamps.now();
        if answer.is_none() {
            shared.late.listen(self.question(to, sent), asked, Arc::clone(&shared.stamps), shared.evidence.clone());
        }
        let waited = shared.clock.now().since(started);
        Ok((judge(answer, waited, deadline), sent, at))
    }

    /// Asks who owns the slice; pauses if that is no news.
    async fn ask(&self, shared: &Shared, route: &mut Route, known: Option<&Owner>) -> Result<(), Error> {
        for region in shared.owners.ask(self.slice).await? {
            route.heard(&region);
        }
        if shared.owners.newest(self.slice).as_ref() <= known {
            route.learned_nothing();
            shared.clock.sleep(route.pause()).await;
        }
        Ok(())
    }

    fn question(&self, to: &Owner, sent: Moment) -> Question {
        Question {
            log: LogId::new(self.slice.scope.clone(), to.region.clone(), self.partition),
            epoch: to.epoch,
            lines: (self.lines.first().copied().unwrap_or(0), self.lines.last().copied().unwrap_or(0)),
            sent,
        }
    }

    fn doubts(&self, to: &Owner, sent: Moment) -> Vec<Doubt> {
        let log = LogId::new(self.slice.scope.clone(), to.region.clone(), self.partition);
        let doubt = |(line, event): (&u64, &NewEvent)| Doubt {
            id: event.id,
            line: *line,
            log: Some(log.clone()),
            epoch: Some(to.epoch),
            by: Some(to.region.clone()),
            sent_ns: Some(sent.as_nanos()),
        };
        self.lines.iter().zip(&self.events).map(doubt).collect()
    }

    fn acks(&self, counted: &Counted) -> Vec<Ack> {
        let (by, epoch): (&RegionId, Epoch) = (&counted.to.region, counted.to.epoch);
        let pairs = self.lines.iter().zip(&counted.appended.acks);
        pairs
            .map(|(line, ack)| Ack {
                id: ack.id,
                line: *line,
                log: ack.log.clone(),
                position: ack.position.rank(),
                epoch,
                by: by.clone(),
                sent_ns: counted.sent.as_nanos(),
                at_ns: counted.at.as_nanos(),
            })
            .collect()
    }
}
