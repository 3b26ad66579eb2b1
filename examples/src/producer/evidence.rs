//! Evidence: what was acknowledged and what was in doubt, synced before the producer goes on.

mod file;

use std::path::Path;
use std::sync::Arc;

use dcp_core::error::Error;
use dcp_core::event::EventId;
use dcp_core::ids::RegionId;
use dcp_core::log::LogId;
use dcp_core::ownership::Epoch;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use self::file::EvidenceFile;
pub use self::file::Lines;

/// Entries that may wait for a sync; each partition has at most one.
const WAITING_MAX: usize = 64;

/// One acknowledged line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct Ack {
    /// The event.
    pub id: EventId,
    /// Number of the line.
    pub line: u64,
    /// The log that holds it.
    pub log: LogId,
    /// Rank of its place in the store of the region that answered.
    pub position: u64,
    /// Epoch of the request: the one under which the region answered.
    pub epoch: Epoch,
    /// The region that answered.
    pub by: RegionId,
    /// When the request was sent, in nanoseconds of the evidence's clock.
    pub sent_ns: u64,
    /// When the answer had arrived, on the same clock.
    pub at_ns: u64,
}

/// One line that may have been applied. After a hard kill it is not known whether and where the
/// batch in flight was sent; log, epoch, region and time are null then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct Doubt {
    /// The event.
    pub id: EventId,
    /// Number of the line.
    pub line: u64,
    /// The log that may hold it.
    pub log: Option<LogId>,
    /// Epoch of the request.
    pub epoch: Option<Epoch>,
    /// The region that was asked.
    pub by: Option<RegionId>,
    /// When the request was sent, in nanoseconds of the evidence's clock.
    pub sent_ns: Option<u64>,
}

/// An answer that came after its deadline. It is not counted: its lines were sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct LateAnswer {
    /// The log that the batch was meant for.
    pub log: LogId,
    /// Epoch of the request.
    pub epoch: Epoch,
    /// The region that answered.
    pub by: RegionId,
    /// Numbers of the first and the last line.
    pub lines: (u64, u64),
    /// When the request was sent, in nanoseconds of the evidence's clock.
    pub sent_ns: u64,
    /// When the answer had arrived, on the same clock.
    pub at_ns: u64,
    /// What the answer was.
    pub answer: LateKind,
    /// The reason, unless it was an acknowledgement.
    pub code: Option<String>,
}

/// What a late answer was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum LateKind {
    /// An acknowledgement.
    Acknowledged,
    /// Certainly not applied.
    NotApplied,
    /// The region itself does not know, or the connection broke.
    InDoubt,
}

/// The three files, open and locked.
#[derive(Debug)]
pub struct Evidence {
    acks: EvidenceFile,
    doubts: EvidenceFile,
    late: EvidenceFile,
    found_any: bool,
}

impl Evidence {
    /// Opens or creates `<region>.jsonl`, `<region>.in_doubt.jsonl` and `<region>.late.jsonl`, cuts
    /// torn last lines off, and gives the acknowledgements that are there.
    ///
    /// # Errors
    /// `Refused` if another process has them open; `Invalid` if they cannot be opened; the
    /// iterator answers `Corrupt` for a line of another form.
    pub fn open(directory: &Path, region: &str) -> Result<(Self, Lines<Ack>), Error> {
        file::create_directory(directory)?;
        let existed = directory.join(format!("{region}.jsonl")).exists();
        let acks = EvidenceFile::open(&directory.join(format!("{region}.jsonl")))?;
        let doubts = EvidenceFile::open(&directory.join(format!("{region}.in_doubt.jsonl")))?;
        let late = EvidenceFile::open(&directory.join(format!("{region}.late.jsonl")))?;
        file::sync_directory(directory)?;
        let lines = acks.lines()?;
        Ok((Self { acks, doubts, late, found_any: existed }, lines))
    }

    /// Whether a producer has run on this evidence before, so that a batch of each partition may
    /// have been in flight when it ended.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.found_any
    }

    /// The handle for partitions and the writer behind it.
    #[must_use]
    pub(super) fn split(self) -> (EvidenceSender, EvidenceWriter) {
        let (sender, entries) = mpsc::channel(WAITING_MAX);
        let files = [(Kind::Doubts, self.doubts), (Kind::Acks, self.acks), (Kind::Late, self.late)];
        let files = files.map(|(kind, file)| (kind, Arc::new(file)));
        let writer = EvidenceWriter { files, entries };
        (EvidenceSender(sender), writer)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Acks,
    Doubts,
    Late,
}

#[derive(Debug)]
struct Entry {
    kind: Kind,
    text: Vec<u8>,
    synced: oneshot::Sender<Result<(), Error>>,
}

/// Notes things and answers once they are durable.
#[derive(Debug, Clone)]
pub(super) struct EvidenceSender(mpsc::Sender<Entry>);

impl EvidenceSender {
    pub(super) async fn acknowledged(&self, acks: &[Ack]) -> Result<(), Error> {
        self.note(Kind::Acks, acks).await
    }

    pub(super) async fn in_doubt(&self, doubts: &[Doubt]) -> Result<(), Error> {
        self.note(Kind::Doubts, doubts).await
    }

    pub(super) async fn late(&self, answer: &LateAnswer) -> Result<(), Error> {
        self.note(Kind::Late, std::slice::from_ref(answer)).await
    }

    async fn note<T: Serialize>(&self, kind: Kind, lines: &[T]) -> Result<(), Error> {
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line)
                .map_err(|cause| Error::invalid("unwritable-evidence", cause.to_string()))?;
            text.push(b'\n');
        }
        let stopped = || Error::stopped("evidence-stopped", "the writer of the evidence has ended");
        let (synced, answer) = oneshot::channel();
        self.0.send(Entry { kind, text, synced }).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

/// Writes and syncs what many partitions note, in groups: one sync a file and group.
#[derive(Debug)]
pub(super) struct EvidenceWriter {
    // In the order in which a group is written: a doubt is there before the acknowledgement.
    files: [(Kind, Arc<EvidenceFile>); 3],
    entries: mpsc::Receiver<Entry>,
}

impl EvidenceWriter {
    /// Runs until every sender is gone. After a failed write nothing more is written: whoever
    /// waits is answered with the error, which ends the producer.
    pub(super) async fn run(mut self) -> Result<(), Error> {
        let mut group = Vec::new();
        while self.entries.recv_many(&mut group, WAITING_MAX).await > 0 {
            let written = self.write(&group).await;
            for entry in group.drain(..) {
                // A partition that was stopped no longer waits.
                let _ = entry.synced.send(written.clone());
            }
            written?;
        }
        Ok(())
    }

    async fn write(&self, group: &[Entry]) -> Result<(), Error> {
        for (kind, file) in &self.files {
            let text: Vec<u8> =
                group.iter().filter(|entry| entry.kind == *kind).flat_map(|entry| entry.text.iter().copied()).collect();
            if text.is_empty() {
                continue;
            }
            let file = Arc::clone(file);
            tokio::task::spawn_blocking(move || file.append_durably(&text))
                .await
                .map_err(|cause| Error::stopped("evidence-stopped", cause.to_string()))??;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
