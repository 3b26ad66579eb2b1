//! Readers behind an endpoint: how many requests they take, how large answers are, and waiting.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dcp_core::event::{EventId, NewEvent, Placed, Record, StreamId, Version};
use dcp_core::fence::Fence;
use dcp_core::ids::{CursorName, ScopeId};
use dcp_core::log::LogId;
use dcp_core::ownership::Epoch;
use dcp_core::ports::{EventReader, EventSource, ReadFrom, Sighting, StoreIdentity};
use dcp_core::position::{Cut, LogIncarnation, Position, PrefixDigest};
use dcp_core::remote::{READ_MAX_BYTES, RemoteEventSource};
use dcp_core::testing::fixtures::{event_id, partition_log, west};
use dcp_core::{Error, ErrorKind};
use tokio::sync::Notify;

use super::rig::{Running, clock, endpoint, server, start};

const MOMENT: Duration = Duration::from_millis(30);
const LONG: Duration = Duration::from_secs(5);

/// One log in memory that counts its readers, which are as many as there were requests.
#[derive(Debug, Default)]
struct OneLog {
    records: Mutex<Vec<Placed>>,
    arrived: Notify,
    readers: AtomicUsize,
}

impl OneLog {
    fn push(&self, payload: usize) {
        let mut records = self.records.lock().unwrap();
        let rank = records.len() as u64 + 1;
        let event = NewEvent::new(event_id(rank), StreamId::new("s"), "t", Bytes::from(vec![b'x'; payload]));
        let record = Record::of(event, Epoch::GENESIS, Version::new(rank));
        let position = Position::from_store(LogIncarnation::from_bytes([1; 16]), rank);
        records.push(Placed { position, record });
        self.arrived.notify_waiters();
    }
}

#[derive(Debug)]
struct Reader(Arc<OneLog>, usize);

#[async_trait]
impl EventReader for Reader {
    async fn next(&mut self, limit: usize, wait: Duration) -> Result<Vec<Placed>, Error> {
        let arrived = self.0.arrived.notified();
        if self.0.records.lock().unwrap().len() <= self.1 {
            tokio::select! {
                biased;
                () = arrived => {}
                () = clock_sleep(wait) => {}
            }
        }
        let found: Vec<_> = self.0.records.lock().unwrap().iter().skip(self.1).take(limit).cloned().collect();
        self.1 += found.len();
        Ok(found)
    }
}

async fn clock_sleep(duration: Duration) {
    clock().sleep(duration).await;
}

#[derive(Debug)]
struct Source(Arc<OneLog>);

fn unasked<T>() -> Result<T, Error> {
    Err(Error::stopped("unasked", "no test asks for it"))
}

#[async_trait]
impl EventSource for Source {
    async fn identity(&self) -> Result<StoreIdentity, Error> {
        unasked()
    }
    async fn ends(&self, _logs: &[LogId]) -> Result<Cut, Error> {
        unasked()
    }
    async fn logs(&self) -> Result<Vec<LogId>, Error> {
        unasked()
    }
    async fn fence(&self, _log: &LogId) -> Result<Fence, Error> {
        unasked()
    }
    async fn prefix(&self, _log: &LogId, _count: u64) -> Result<Option<PrefixDigest>, Error> {
        unasked()
    }
    async fn sightings(&self, _scope: &ScopeId, _partition: u32, _ids: &[EventId]) -> Result<Vec<Sighting>, Error> {
        unasked()
    }
    async fn cursor(&self, _name: &CursorName) -> Result<Option<Bytes>, Error> {
        unasked()
    }
    async fn open_reader(&self, _log: &LogId, from: ReadFrom) -> Result<Box<dyn EventReader>, Error> {
        self.0.readers.fetch_add(1, Ordering::SeqCst);
        let skip = match from {
            ReadFrom::Start => 0,
            ReadFrom::After(position) => usize::try_from(position.rank()).unwrap(),
        };
        if skip > self.0.records.lock().unwrap().len() {
            return Err(Error::corrupt("past-the-end", "no such record"));
        }
        Ok(Box::new(Reader(Arc::clone(&self.0), skip)))
    }
}

async fn rig() -> (Arc<OneLog>, Running, Box<dyn EventReader>) {
    let log = Arc::new(OneLog::default());
    let running = start(server().event_source(Arc::new(Source(Arc::clone(&log))))).await;
    let source = RemoteEventSource::new(endpoint(running.address));
    let reader = source.open_reader(&partition_log(&west(), 0), ReadFrom::Start).await.unwrap();
    log.readers.store(0, Ordering::SeqCst);
    (log, running, reader)
}

#[tokio::test]
async fn a_thousand_records_are_one_request() {
    let (log, _running, mut reader) = rig().await;
    (0..1_500).for_each(|_| log.push(200));
    let first = reader.next(1_000, LONG).await.unwrap();
    assert_eq!(log.readers.load(Ordering::SeqCst), 1);
    let rest = reader.next(1_000, LONG).await.unwrap();
    assert_eq!((first.len(), rest.len()), (1_000, 500));
    assert_eq!([first, rest].concat(), *log.records.lock().unwrap());
    assert_eq!(reader.next(1_000, Duration::ZERO).await.unwrap(), Vec::new());
}

#[tokio::test]
async fn answers_are_bounded_and_nothing_is_left_out() {
    let (log, _running, mut reader) = rig().await;
    (0..40).for_each(|number| log.push(if number % 3 == 0 { 1 << 20 } else { 200_000 }));
    let mut read = Vec::new();
    while read.len() < 40 {
        let records = reader.next(1_000, LONG).await.unwrap();
        let bytes: usize = records.iter().map(|placed| placed.record.payload.len()).sum();
        assert!(!records.is_empty() && bytes <= READ_MAX_BYTES);
        read.extend(records);
    }
    assert_eq!(read, *log.records.lock().unwrap());
}

#[tokio::test]
async fn a_reader_waits_for_the_first_record_only() {
    let (log, _running, mut reader) = rig().await;
    assert_eq!(reader.next(10, MOMENT).await.unwrap(), Vec::new());
    let (records, ()) = tokio::join!(reader.next(10, LONG), async {
        clock().sleep(MOMENT).await;
        log.push(1);
    });
    assert_eq!(records.unwrap().len(), 1);
}

#[tokio::test]
async fn a_dropped_read_loses_nothing() {
    let (log, _running, mut reader) = rig().await;
    let (mut read, mut dropped, mut polls) = (Vec::new(), 0, 0);
    while read.len() < 60 {
        if log.records.lock().unwrap().len() < 60 {
            log.push(1);
        }
        polls = polls % 15 + 1;
        match poll_times(reader.next(3, LONG), polls).await {
            Some(records) => read.extend(records.unwrap()),
            None => dropped += 1,
        }
    }
    assert_eq!(read, *log.records.lock().unwrap());
    assert!(dropped > 0, "no read was dropped, so that nothing was shown");
}

/// Polls a future this often, and drops it if it is still under way.
async fn poll_times<F: Future>(future: F, times: usize) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    for _ in 0..times {
        let polled = std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}

#[tokio::test]
async fn a_stopping_server_ends_a_waiting_read() {
    let (_log, running, mut reader) = rig().await;
    let stop = running.stop.clone();
    let (records, ()) = tokio::join!(reader.next(10, LONG), async {
        clock().sleep(MOMENT).await;
        stop.cancel();
    });
    assert_eq!(records.unwrap_err().kind(), ErrorKind::Retry);
    running.stopped().await.unwrap();
}

#[tokio::test]
async fn a_place_that_the_log_has_not_is_refused_at_opening() {
    let (_log, running, _reader) = rig().await;
    let source = RemoteEventSource::new(endpoint(running.address));
    let past = ReadFrom::After(Position::from_store(LogIncarnation::from_bytes([1; 16]), 9));
    let error = source.open_reader(&partition_log(&west(), 0), past).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}
