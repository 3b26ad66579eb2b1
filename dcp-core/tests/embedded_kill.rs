//! `kill -9` at seeded moments: a child process appends and prints what was answered; after each kill
//! the parent opens the files and compares.

#![allow(clippy::unwrap_used, clippy::expect_used)] // A test stops at what it did not expect.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dcp_core::clock::{Entropy as _, SeededEntropy};
use dcp_core::event::{EventId, NewEvent, StreamId};
use dcp_core::ids::CursorName;
use dcp_core::ports::event_store::{Cursor, EventSourceExt as _, OwnerBatch};
use dcp_core::ports::{EventSource as _, EventStore as _, Key, ReadFrom, StateStore as _, Transaction, WriterRole};
use dcp_core::state::embedded::{EmbeddedStateSettings, EmbeddedStateStore};
use dcp_core::store::embedded::{EmbeddedEventSettings, EmbeddedEventStore};
use dcp_core::testing::fixtures::{TwoRegions, orders, partition_log, slice_b, west};

const DIRECTORY: &str = "DCP_KILL_TEST_DIRECTORY";
const EPOCH: &str = "DCP_KILL_TEST_EPOCH";
const ROUNDS: u64 = 8;
const PARTITIONS: [u32; 3] = [1, 2, 3];

fn events(directory: &Path) -> EmbeddedEventStore {
    let entropy = Arc::new(SeededEntropy::new(3, "incarnation"));
    let settings = EmbeddedEventSettings::new(directory.join("events"), west(), entropy);
    EmbeddedEventStore::open(&settings.with_cache_bytes(4 << 20)).unwrap()
}

fn state(directory: &Path) -> EmbeddedStateStore {
    EmbeddedStateStore::open(&EmbeddedStateSettings::new(directory.join("state"), west())).unwrap()
}

fn cursor_name(partition: u32) -> CursorName {
    CursorName::new(format!("held-{partition}")).unwrap()
}

fn key(text: String) -> Key {
    Key::new(text).unwrap()
}

fn number(bytes: &[u8]) -> u64 {
    std::str::from_utf8(bytes).unwrap().parse().unwrap()
}

/// Appends for ever; each answer is one printed line.
async fn append_for_ever(store: Arc<EmbeddedEventStore>, epoch: u64, partition: u32) {
    let log = partition_log(&west(), partition);
    let grant = TwoRegions::new().grant(&slice_b(&orders()), &west(), epoch);
    let writer = store.open_writer(std::slice::from_ref(&log), WriterRole::Owner(grant)).await.unwrap();
    println!("opened {partition} {epoch}");
    let ids = SeededEntropy::new(epoch, &format!("ids of {partition}"));
    let mut held = store.end(&log).await.unwrap().prefix.count;
    for round in 0_usize.. {
        let length = 1 + round * 7 % 40;
        let event = |nth: usize| {
            let mut id = [0; 16];
            id.copy_from_slice(&ids.draw()[..16]);
            let stream = StreamId::new(format!("stream-{}", nth % 5));
            NewEvent::new(EventId::from_bytes(id), stream, "killed", Bytes::from(vec![7; nth * 13 % 300]))
        };
        held += length as u64;
        let cursor = Cursor { name: cursor_name(partition), value: Bytes::from(held.to_string()) };
        let batch = OwnerBatch::new(log.clone(), (0..length).map(event).collect()).with_cursor(cursor);
        let appended = writer.append(batch).await.unwrap();
        let sequence = store.identity().await.unwrap().commit_sequence;
        for ack in appended.acks {
            println!("appended {partition} {} {} {} {sequence}", ack.id, ack.version, ack.position.rank());
        }
    }
}

/// Counts for ever, each number with an entry of its own in the same commit.
async fn count_for_ever(store: Arc<EmbeddedStateStore>, task: u32) {
    let counter = key(format!("counter/{task}"));
    loop {
        let read = store.read(&counter).await.unwrap();
        let next = read.as_ref().map_or(0, |entry| number(&entry.value)) + 1;
        let transaction = Transaction::new()
            .unchanged(counter.clone(), read.as_ref())
            .put(counter.clone(), next.to_string())
            .put(key(format!("history/{task}/{next:08}")), next.to_string())
            .put(key(format!("passing/{task}/{next}")), "")
            .delete(key(format!("passing/{task}/{}", next - 1)));
        let revision = store.commit(transaction).await.unwrap();
        println!("counted {task} {next} {revision}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "helper: the child process that the kill test starts"]
async fn child() {
    let directory = PathBuf::from(std::env::var(DIRECTORY).unwrap());
    let epoch = std::env::var(EPOCH).unwrap().parse().unwrap();
    let (store, state) = (Arc::new(events(&directory)), Arc::new(state(&directory)));
    let mut tasks = tokio::task::JoinSet::new();
    for partition in PARTITIONS {
        tasks.spawn(append_for_ever(Arc::clone(&store), epoch, partition));
        tasks.spawn(count_for_ever(Arc::clone(&state), partition));
    }
    tasks.join_next().await.unwrap().unwrap();
}

/// All that was answered, over all rounds.
#[derive(Default)]
struct Answered {
    /// `(partition, id)` → `(version, rank)`.
    events: BTreeMap<(u32, EventId), (u64, u64)>,
    fence: BTreeMap<u32, u64>,
    sequence: u64,
    counted: BTreeMap<u32, u64>,
    revision: u64,
}

impl Answered {
    fn take(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let partition = || words[1].parse::<u32>().unwrap();
        let at = |word: usize| words[word].parse::<u64>().unwrap();
        match words[0] {
            "opened" => drop(self.fence.insert(partition(), at(2))),
            "appended" => {
                let known = self.events.insert((partition(), words[2].parse().unwrap()), (at(3), at(4)));
                assert!(known.is_none(), "answered twice: {line}");
                self.sequence = self.sequence.max(at(5));
            }
            "counted" => {
                self.counted.insert(partition(), at(2));
                self.revision = self.revision.max(at(3));
            }
            _ => {} // The test harness's own lines.
        }
    }
}

/// Starts the child and kills it so long after its first answer; takes what it printed.
fn run_and_kill(directory: &Path, epoch: u64, after: Duration, answered: &mut Answered) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .env(EPOCH, epoch.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (first, begun) = std::sync::mpsc::channel();
    let mut printed = BufReader::new(child.stdout.take().unwrap());
    let reading = std::thread::spawn(move || {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            printed.read_line(&mut line).unwrap();
            let Some(whole) = line.strip_suffix('\n') else { return lines };
            if whole.starts_with("appended") {
                let _late = first.send(());
            }
            lines.push(whole.to_owned());
        }
    });
    begun.recv_timeout(Duration::from_secs(30)).expect("the child answers its first append");
    std::thread::sleep(after);
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success());
    let printed = reading.join().unwrap();
    // What follows the last line break was cut off and cannot be read.
    printed.iter().for_each(|line| answered.take(line));
}

async fn check_events(directory: &Path, answered: &mut Answered) {
    let store = events(directory);
    let identity = store.identity().await.unwrap();
    assert!(identity.commit_sequence >= answered.sequence, "{identity:?}, {} answered", answered.sequence);
    answered.sequence = identity.commit_sequence;
    let (mut ids, mut found) = (BTreeSet::new(), 0);
    for partition in PARTITIONS {
        let log = partition_log(&west(), partition);
        if let Some(epoch) = answered.fence.get(&partition) {
            assert!(store.fence(&log).await.unwrap().highest().unwrap().epoch.get() >= *epoch, "fence of {log}");
        }
        let end = store.end(&log).await.unwrap();
        let mut reader = store.open_reader(&log, ReadFrom::Start).await.unwrap();
        let (mut read, mut versions) = (0, BTreeMap::new());
        loop {
            let records = reader.next(1_000, Duration::ZERO).await.unwrap();
            if records.is_empty() {
                break;
            }
            for held in records {
                read += 1;
                assert_eq!(held.position.rank(), read, "a gap in {log}");
                let version = versions.entry(held.record.stream.clone()).or_insert(0);
                *version += 1;
                assert_eq!(held.record.version.get(), *version, "{log}, {}", held.record.stream);
                assert!(ids.insert((partition, held.record.id)), "{} is held twice", held.record.id);
                // Held and never answered is lawful: it was in doubt.
                if let Some(places) = answered.events.get(&(partition, held.record.id)) {
                    found += 1;
                    assert_eq!(*places, (*version, read), "{} of {log}", held.record.id);
                }
            }
        }
        assert_eq!(read, end.prefix.count);
        let cursor = store.cursor(&cursor_name(partition)).await.unwrap();
        assert_eq!(cursor.map_or(0, |value| number(&value)), read, "{log}: a cursor without its batch");
    }
    assert_eq!(found, answered.events.len(), "answered and lost");
}

async fn check_state(directory: &Path, answered: &mut Answered) {
    let store = state(directory);
    for task in PARTITIONS {
        let counter = store.read(&key(format!("counter/{task}"))).await.unwrap();
        let counted = counter.as_ref().map_or(0, |entry| number(&entry.value));
        let least = answered.counted.get(&task).copied().unwrap_or(0);
        assert!(counted >= least && counted <= least + 1, "task {task} counted {counted}, {least} answered");
        answered.counted.insert(task, counted);
        let (mut after, mut entries) = (None, Vec::new());
        loop {
            let page = store.scan(&format!("history/{task}/"), after.as_ref(), 1_000).await.unwrap();
            after = page.last().map(|entry| entry.key.clone());
            entries.extend(page.iter().map(|entry| number(&entry.value)));
            if page.len() < 1_000 {
                break;
            }
        }
        assert_eq!(entries, (1..=counted).collect::<Vec<_>>(), "the history of task {task}");
        let passing = store.scan(&format!("passing/{task}/"), None, 10).await.unwrap();
        let passing: Vec<_> = passing.iter().map(|entry| entry.key.to_string()).collect();
        assert_eq!(passing, Vec::from_iter((counted > 0).then(|| format!("passing/{task}/{counted}"))));
    }
    let next = store.commit(Transaction::new().put(key("probe".to_owned()), "")).await.unwrap();
    assert!(next.get() > answered.revision, "revision {next} after {}", answered.revision);
    answered.revision = next.get();
}

#[tokio::test]
async fn what_was_answered_survives_kills_at_any_moment() {
    let directory = tempfile::tempdir().unwrap();
    let moments = SeededEntropy::new(11, "moments of death");
    let mut answered = Answered::default();
    for epoch in 1..=ROUNDS {
        let [first, second, ..] = moments.draw();
        let after = Duration::from_micros(u64::from(u16::from_be_bytes([first, second])) * 5);
        let before = answered.events.len();
        run_and_kill(directory.path(), epoch, after, &mut answered);
        assert!(answered.events.len() > before, "round {epoch} answered nothing");
        check_events(directory.path(), &mut answered).await;
        check_state(directory.path(), &mut answered).await;
    }
    println!("{} events answered over {ROUNDS} kills", answered.events.len());
}
