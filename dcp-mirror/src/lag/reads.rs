//! When the source was asked, and what it held then.
//!
//! A read that was sent at `t` answers at `t` or later. So what it does not show was not there at
//! `t`, and whoever has all that it shows misses nothing that was there at `t`.

use std::collections::{BTreeMap, VecDeque};

use dcp_core::clock::Moment;
use dcp_core::log::LogId;
use dcp_core::position::PrefixDigest;

/// Most reads remembered of one log while the mirror has not reached what they showed. Beyond it
/// every second one is forgotten, which makes bounds larger, never smaller.
const WAITING_MAX: usize = 1_024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Read {
    count: u64,
    asked: Moment,
}

/// Reads of one log, of rising counts; of reads with equal counts the newest.
#[derive(Debug, Clone, Default)]
struct LogReads {
    reached: Option<Read>,
    waiting: VecDeque<Read>,
}

/// Reads of the source's ends in this process's life.
#[derive(Debug, Clone, Default)]
pub(super) struct SourceReads(BTreeMap<LogId, LogReads>);

impl SourceReads {
    /// Takes in a read that was sent at `asked` and showed these counts.
    pub(super) fn showed<'a>(&mut self, asked: Moment, counts: impl IntoIterator<Item = (&'a LogId, u64)>) {
        for (log, count) in counts {
            let reads = self.0.entry(log.clone()).or_default();
            while reads.waiting.back().is_some_and(|read| read.count >= count) {
                reads.waiting.pop_back();
            }
            if reads.waiting.len() >= WAITING_MAX {
                let mut index = 0_usize;
                reads.waiting.retain(|_| {
                    index += 1;
                    index.is_multiple_of(2)
                });
            }
            reads.waiting.push_back(Read { count, asked });
        }
    }

    /// Takes in how far the mirror is.
    pub(super) fn settle(&mut self, applied: &BTreeMap<LogId, PrefixDigest>) {
        for (log, reads) in &mut self.0 {
            let have = applied.get(log).map_or(0, |prefix| prefix.count);
            while let Some(read) = reads.waiting.front().copied().filter(|read| read.count <= have) {
                reads.reached = Some(read);
                reads.waiting.pop_front();
            }
        }
    }

    /// When the newest read was sent of which the mirror holds everything: nothing that the source
    /// held then is missing. None before such a read in this process's life.
    pub(super) fn complete_as_of(&self, log: &LogId) -> Option<Moment> {
        self.0.get(log)?.reached.map(|read| read.asked)
    }

    /// When the newest read was sent that did not show the record with this number, from 1: it was
    /// written later. None if every read of this process's life showed it.
    pub(super) fn newest_without(&self, log: &LogId, number: u64) -> Option<Moment> {
        let reads = self.0.get(log)?;
        let newest = reads.waiting.iter().rev().chain(&reads.reached).find(|read| read.count < number);
        newest.map(|read| read.asked)
    }
}
