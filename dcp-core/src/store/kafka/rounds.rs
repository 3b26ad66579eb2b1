//! A group's records, cut into batches that their topics take. Pure.

use super::headers::to_kafka;
use super::laying::weight;
use super::producer::Part;
use crate::kafka::TopicPartition;
use crate::kafka::batch::Record;
use crate::store::append::Planned;

/// Most bytes of one batch, unless one record alone is larger.
const BATCH_BYTES: usize = 768 << 10;
/// What a record needs beside its key and value, at most.
const RECORD_BYTES: usize = 64;

/// Batches for the log and for the state topic; those at one place go together, one for each partition.
pub(super) fn rounds(
    log: &TopicPartition,
    planned: &[Planned],
    record_max: usize,
    state: Vec<Part>,
    state_record_max: usize,
    timestamp: i64,
) -> Vec<Vec<Part>> {
    let mut rounds: Vec<Vec<Part>> = Vec::new();
    let mut put = |at: usize, part: Part| {
        rounds.resize_with(rounds.len().max(at + 1), Vec::new);
        rounds[at].push(part);
    };
    for (place, records) in state {
        let weight = |record: &Record| {
            let of = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, bytes::Bytes::len);
            of(&record.key) + of(&record.value) + RECORD_BYTES
        };
        for (at, records) in cut(&records, weight, state_record_max).into_iter().enumerate() {
            put(at, (place.clone(), records.to_vec()));
        }
    }
    for (at, planned) in cut(planned, weight, record_max).into_iter().enumerate() {
        put(at, (log.clone(), planned.iter().map(|planned| to_kafka(planned, timestamp)).collect()));
    }
    rounds
}

/// Pieces of at most so many bytes, unless one item alone has more.
fn cut<T>(items: &[T], weight: impl Fn(&T) -> usize, most: usize) -> Vec<&[T]> {
    let most = most.min(BATCH_BYTES);
    let (mut pieces, mut begin, mut bytes) = (Vec::new(), 0, 0);
    for (at, item) in items.iter().enumerate() {
        let weight = weight(item);
        if at > begin && bytes + weight > most {
            pieces.push(&items[begin..at]);
            (begin, bytes) = (at, 0);
        }
        bytes += weight;
    }
    if begin < items.len() {
        pieces.push(&items[begin..]);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_as_large_as_the_topic_takes() {
        let lengths = |sizes: &[usize], most| -> Vec<usize> {
            cut(sizes, |size| *size, most).into_iter().map(<[usize]>::len).collect()
        };
        assert_eq!(lengths(&[], 10), [0; 0]);
        assert_eq!(lengths(&[4, 4, 4, 11, 1, 9, 10], 10), [2, 1, 1, 2, 1]);
        assert_eq!(lengths(&[300 << 10; 5], usize::MAX), [2, 2, 1]);
        assert_eq!(lengths(&[100 << 10; 5], 256 << 10), [2, 2, 1]);
    }

    #[test]
    fn state_is_cut_too() {
        let record = |key: &str| super::super::state::record(key, vec![7; 4_096].into(), 0);
        let place = TopicPartition::new("state", 0);
        let state = vec![(place.clone(), (0..256).map(|at| record(&format!("cursor/{at}"))).collect())];
        let rounds = rounds(&TopicPartition::new("log", 0), &[], usize::MAX, state, 1 << 20, 0);
        assert_eq!(rounds.len(), 2);
        let all: usize = rounds.iter().flatten().map(|(_, records)| records.len()).sum();
        assert_eq!(all, 256);
        assert!(rounds.iter().all(|parts| parts.len() == 1 && parts[0].0 == place));
    }
}
