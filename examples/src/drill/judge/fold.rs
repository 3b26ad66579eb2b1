//! A fresh fold of one event store, in canonical order.

use super::logs::Logs;
use super::table::StoreTable;
use crate::orders::{Home, Orders, ReadModels, Sales, Stock};

struct Step {
    home: Home,
    stream: u32,
    epoch: u64,
    version: u64,
    line: u32,
}

/// Folds each stream by epoch and version; of several copies of a line the lowest counts. Content
/// is taken from the file, which is why a record that is not its line's event cannot be folded.
///
/// # Errors
/// What cannot be folded, in words.
pub(super) fn fold(logs: &Logs, table: &StoreTable, orders: &Orders) -> Result<ReadModels, String> {
    fold_first(logs, table, orders, |_| usize::MAX)
}

/// Folds as many of the first records of each log as `counts` names.
///
/// # Errors
/// As [`fold`].
pub(super) fn fold_first(
    logs: &Logs,
    table: &StoreTable,
    orders: &Orders,
    counts: impl Fn(usize) -> usize,
) -> Result<ReadModels, String> {
    let mut steps = Vec::with_capacity(table.logs.iter().map(Vec::len).sum());
    for (number, entry) in logs.iter() {
        for row in table.logs[number].iter().take(counts(number)) {
            if !row.sound {
                return Err(table.unsound.clone().unwrap_or_else(|| format!("{} is unsound", entry.id)));
            }
            steps.push(Step {
                home: entry.home,
                stream: row.stream,
                epoch: row.epoch,
                version: row.version,
                line: row.line,
            });
        }
    }
    steps.sort_unstable_by_key(|step| (step.home, step.stream, step.epoch, step.version, step.line));
    let mut folded = vec![false; usize::try_from(orders.len()).map_err(|cause| cause.to_string())? + 1];
    let (mut sales, mut stock) = (Sales::new(), Stock::new());
    for step in steps {
        let line = orders.line(u64::from(step.line)).ok_or_else(|| format!("line {} is unknown", step.line))?;
        if std::mem::replace(&mut folded[step.line as usize], true) {
            continue;
        }
        sales.add(&line).map_err(|error| error.to_string())?;
        stock.add(&line).map_err(|error| error.to_string())?;
    }
    Ok(ReadModels { sales: sales.model(), stock: stock.model() })
}
