//! A producer over the same pure decisions as the drill's, with its evidence in memory: a file's
//! sync would take real time in a world whose time is not real.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dcp_core::Error;
use dcp_core::clock::{Clock, Moment};
use dcp_core::event::NewEvent;
use dcp_core::ids::{RegionId, SliceRef};
use dcp_core::log::LogId;
use dcp_core::ports::{AppendRequest, Appended, Appends};
use dcp_core::treaty::Treaty;

use super::process::{Board, Process};
use crate::orders::{Home, Orders, PARTITIONS, event_id, new_event, partition_of};
use crate::producer::decide::{Next, Outcome, Owner, Route, check_answer, judge, newer, next_batch};
use crate::producer::evidence::{Ack, Doubt};

/// How long a region is asked for an owner.
const ASK_DEADLINE: Duration = Duration::from_millis(300);

/// What a producer has noted.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    pub(super) acks: Vec<Ack>,
    acknowledged: BTreeSet<u64>,
    pub(super) doubts: Vec<Doubt>,
    /// Why a partition stopped.
    pub(super) stopped: Option<Error>,
}

impl Book {
    /// Whether every one of these lines is acknowledged.
    pub(super) fn holds(&self, lines: &[u64]) -> bool {
        lines.iter().all(|line| self.acknowledged.contains(line))
    }

    fn note(&mut self, acks: Vec<Ack>) {
        self.acknowledged.extend(acks.iter().map(|ack| ack.line));
        self.acks.extend(acks);
    }
}

/// One producer.
#[derive(Debug)]
pub(super) struct Producer {
    pub(super) home: Home,
    pub(super) treaty: Arc<Treaty>,
    pub(super) orders: Arc<Orders>,
    pub(super) regions: BTreeMap<RegionId, Arc<dyn Appends>>,
    pub(super) clock: Arc<dyn Clock>,
    /// The world's clock, for the evidence.
    pub(super) stamps: Arc<dyn Clock>,
    pub(super) prefer_home: bool,
    pub(super) batch_lines: usize,
    pub(super) gate: Board<u64>,
    pub(super) book: Board<Book>,
    pub(super) owners: Mutex<BTreeMap<SliceRef, Owner>>,
}

impl Producer {
    fn owners(&self) -> MutexGuard<'_, BTreeMap<SliceRef, Owner>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lines at home here, up to a record.
    pub(super) fn own_lines(&self, upto: u64) -> Vec<u64> {
        let own = self.orders.iter().take_while(|line| line.number() <= upto);
        own.filter(|line| line.home().ok() == Some(self.home)).map(|line| line.number()).collect()
    }

    /// Starts every partition in the producer's process.
    pub(super) fn start(self: &Arc<Self>, process: &Arc<Process>) -> Result<(), Error> {
        for partition in 0..PARTITIONS {
            let scope = self.home.scope_id();
            let slice = SliceRef::new(scope.clone(), self.treaty.scope(&scope)?.slice_of(partition)?.clone());
            let of_partition =
                |line: &u64| self.orders.line(*line).is_some_and(|line| partition_of(line.stock_code()) == partition);
            let lines = self.own_lines(u64::MAX).into_iter().filter(of_partition).collect();
            let producer = Arc::clone(self);
            process.spawn(async move {
                if let Err(error) = producer.run(partition, &slice, lines).await {
                    producer.book.change(|book| book.stopped = Some(error));
                }
            });
        }
        Ok(())
    }

    async fn run(&self, partition: u32, slice: &SliceRef, lines: Vec<u64>) -> Result<(), Error> {
        let mut route = Route::new(self.home.region_id(), self.prefer_home && partition.is_multiple_of(2));
        let mut next = 0;
        while next < lines.len() {
            self.gate.until(|gate| *gate >= lines[next]).await;
            let range = next_batch(&lines, next, self.gate.get(), self.batch_lines);
            let acks = self.deliver(partition, slice, &lines[range.clone()], &mut route).await?;
            self.book.change(|book| book.note(acks));
            next = range.end;
        }
        Ok(())
    }

    async fn deliver(
        &self,
        partition: u32,
        slice: &SliceRef,
        lines: &[u64],
        route: &mut Route,
    ) -> Result<Vec<Ack>, Error> {
        let missing = || Error::corrupt("no-such-line", "the order lines end before it");
        let events = lines.iter().map(|line| new_event(&self.orders.line(*line).ok_or_else(missing)?));
        let events = events.collect::<Result<Vec<_>, Error>>()?;
        let mut doubted = BTreeSet::new();
        loop {
            let newest = self.owners().get(slice).cloned();
            let Some(to) = route.target(newest.as_ref()) else {
                self.ask(slice, route, newest.as_ref()).await?;
                continue;
            };
            let (outcome, sent, at) = self.send(partition, slice, &events, &to).await?;
            match route.after(&to, &outcome) {
                Next::Done => {
                    let Outcome::Counted(appended) = outcome else { continue };
                    check_answer(&slice.scope, partition, &events, &appended)?;
                    return Ok(acks(lines, &appended, &to, sent, at));
                }
                Next::Again { in_doubt } => {
                    if in_doubt && doubted.insert(to.clone()) {
                        let log = LogId::new(slice.scope.clone(), to.region.clone(), partition);
                        self.book.change(|book| book.doubts.extend(doubts(lines, &log, &to, sent)));
                    }
                }
                Next::Stop(error) => return Err(error.at(format!("{}: lines from {}", to.region, lines[0]))),
            }
            let newest = self.owners().get(slice).cloned();
            if newest.is_none_or(|newest| newest.epoch <= to.epoch) {
                self.ask(slice, route, Some(&to)).await?;
            }
        }
    }

    async fn send(
        &self,
        partition: u32,
        slice: &SliceRef,
        events: &[NewEvent],
        to: &Owner,
    ) -> Result<(Outcome, Moment, Moment), Error> {
        let unknown = || Error::invalid("no-endpoint", to.region.to_string());
        let endpoint = self.regions.get(&to.region).ok_or_else(unknown)?;
        let request = AppendRequest::new(slice.scope.clone(), partition, to.epoch, events.to_vec());
        let deadline = self.treaty.lease().request_deadline();
        let (started, sent) = (self.clock.now(), self.stamps.now());
        let answer = tokio::select! {
            biased;
            answer = endpoint.append(request) => Some(answer),
            () = self.clock.sleep_until(started.after(deadline)) => None,
        };
        let at = self.stamps.now();
        Ok((judge(answer, self.clock.now().since(started), deadline), sent, at))
    }

    async fn ask(&self, slice: &SliceRef, route: &mut Route, known: Option<&Owner>) -> Result<(), Error> {
        for (region, appends) in &self.regions {
            let answer = tokio::select! {
                biased;
                answer = appends.ownership(slice) => answer.ok(),
                () = self.clock.sleep(ASK_DEADLINE) => None,
            };
            if let Some(grant) = answer {
                let mut owners = self.owners();
                let owner = newer(&self.treaty, slice, owners.get(slice), &grant)?;
                owners.insert(slice.clone(), owner);
                route.heard(region);
            }
        }
        if self.owners().get(slice) <= known {
            route.learned_nothing();
            self.clock.sleep(route.pause()).await;
        }
        Ok(())
    }
}

fn doubts(lines: &[u64], log: &LogId, to: &Owner, sent: Moment) -> Vec<Doubt> {
    let doubt = |line: &u64| Doubt {
        id: event_id(*line),
        line: *line,
        log: Some(log.clone()),
        epoch: Some(to.epoch),
        by: Some(to.region.clone()),
        sent_ns: Some(sent.as_nanos()),
    };
    lines.iter().map(doubt).collect()
}

fn acks(lines: &[u64], appended: &Appended, to: &Owner, sent: Moment, at: Moment) -> Vec<Ack> {
    let pairs = lines.iter().zip(&appended.acks);
    pairs
        .map(|(line, ack)| Ack {
            id: ack.id,
            line: *line,
            log: ack.log.clone(),
            position: ack.position.rank(),
            epoch: to.epoch,
            by: to.region.clone(),
            sent_ns: sent.as_nanos(),
            at_ns: at.as_nanos(),
        })
        .collect()
}
