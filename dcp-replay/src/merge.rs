//! Canonical order while reading several logs of one partition: pure.

use std::collections::VecDeque;

use dcp_core::event::Record;
use dcp_core::ownership::Epoch;

/// The part of one log that is in memory.
#[derive(Debug)]
pub(crate) struct Buffered<T> {
    pub(crate) records: VecDeque<T>,
    /// Whether the log holds more than is in memory.
    pub(crate) more: bool,
}

/// What a merge needs to know of a record.
pub(crate) trait HasEpoch {
    fn epoch(&self) -> Epoch;
}

impl HasEpoch for Record {
    fn epoch(&self) -> Epoch {
        self.epoch
    }
}

impl HasEpoch for dcp_core::event::Placed {
    fn epoch(&self) -> Epoch {
        self.record.epoch
    }
}

/// The highest epoch that may go on now: no log of which more is to be read can bring a lower one.
/// Taken once, before anything is taken out. None: no bound.
pub(crate) fn frontier<T: HasEpoch>(logs: &[&mut Buffered<T>]) -> Option<Epoch> {
    logs.iter().filter(|log| log.more).filter_map(|log| log.records.back().map(HasEpoch::epoch)).min()
}

/// Takes the next record in canonical order, with the number of its log; none if what is left is
/// beyond the frontier.
///
/// Epochs never fall within a log, so the log whose next record has the lowest epoch goes first.
pub(crate) fn next_in_order<T: HasEpoch>(logs: &mut [&mut Buffered<T>], frontier: Option<Epoch>) -> Option<(usize, T)> {
    let fronts = logs.iter().enumerate();
    let first = fronts.filter_map(|(number, log)| Some((log.records.front()?.epoch(), number))).min()?;
    if frontier.is_some_and(|frontier| first.0 > frontier) {
        return None;
    }
    logs[first.1].records.pop_front().map(|record| (first.1, record))
}

#[cfg(test)]
mod tests {
    use super::*;

    impl HasEpoch for (u64, u64) {
        fn epoch(&self) -> Epoch {
            Epoch::new(self.0)
        }
    }

    fn drain(logs: &mut [Buffered<(u64, u64)>]) -> Vec<(usize, (u64, u64))> {
        let mut logs: Vec<_> = logs.iter_mut().collect();
        let frontier = frontier(&logs);
        std::iter::from_fn(|| next_in_order(&mut logs, frontier)).collect()
    }

    #[test]
    fn lower_epochs_go_first_and_each_log_keeps_its_order() {
        let home = Buffered { records: [(1, 1), (1, 2), (3, 3)].into(), more: false };
        let other = Buffered { records: [(2, 1), (2, 2)].into(), more: false };
        let order = drain(&mut [other, home]);
        assert_eq!(order, [(1, (1, 1)), (1, (1, 2)), (0, (2, 1)), (0, (2, 2)), (1, (3, 3))]);
    }

    #[test]
    fn a_record_waits_while_a_lower_epoch_may_follow() {
        let home = Buffered { records: [(1, 1)].into(), more: true };
        let other = Buffered { records: [(2, 1)].into(), more: false };
        let mut logs = [home, other];
        assert_eq!(drain(&mut logs), [(0, (1, 1))]);
        assert_eq!(logs[1].records.len(), 1);
        // A log with nothing in memory holds nobody back: the next round reads it.
        assert_eq!(drain(&mut logs), [(1, (2, 1))]);
    }
}
