//! Stock: level and chain per scope and stock code. The order of a stream's lines matters.

use std::collections::BTreeMap;

use dcp_core::digest::Digest;
use dcp_core::error::Error;
use dcp_core::event::EventId;
use serde::{Deserialize, Serialize};

use super::event::event_id;
use super::line::OrderLine;
use super::read_models::StockModel;

/// Level and chain of one stock code in one scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StockItem {
    /// Sum of the quantities.
    pub level: i64,
    /// Each time SHA-256 of the chain before, the event's id, `|` and the quantity as text.
    pub chain: Digest,
}

impl Default for StockItem {
    fn default() -> Self {
        Self { level: 0, chain: Digest::ZERO }
    }
}

impl StockItem {
    /// The item after one more line.
    ///
    /// # Errors
    /// `Invalid` if the quantity cannot be read or the level leaves its range.
    pub fn then(&self, id: EventId, line: &OrderLine<'_>) -> Result<Self, Error> {
        let level = self
            .level
            .checked_add(line.quantity()?)
            .ok_or_else(|| Error::invalid("level-out-of-range", format!("record {}: the level", line.number())))?;
        let id = id.to_string();
        let quantity = line.quantity_text().as_bytes();
        // Id and `|` have fixed lengths, so that no two lists of parts give the same bytes.
        let chain = Digest::of_parts(&[self.chain.as_bytes(), id.as_bytes(), b"|", quantity]);
        Ok(Self { level, chain })
    }
}

/// Stock over the lines taken in so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stock {
    // By scope, then stock code.
    scopes: BTreeMap<String, BTreeMap<String, StockItem>>,
}

impl Stock {
    /// No line.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the next line of its stream, in the scope of its home.
    ///
    /// # Errors
    /// `Invalid` if its home or numbers cannot be read.
    pub fn add(&mut self, line: &OrderLine<'_>) -> Result<(), Error> {
        let codes = self.scopes.entry(line.home()?.scope().to_owned()).or_default();
        let before = codes.get(line.stock_code()).copied().unwrap_or_default();
        let after = before.then(event_id(line.number()), line)?;
        match codes.get_mut(line.stock_code()) {
            Some(item) => *item = after,
            None => drop(codes.insert(line.stock_code().to_owned(), after)),
        }
        Ok(())
    }

    /// Puts one item as it was kept elsewhere.
    pub fn put(&mut self, scope: &str, stock_code: &str, item: StockItem) {
        self.scopes.entry(scope.to_owned()).or_default().insert(stock_code.to_owned(), item);
    }

    /// As the verdict writes it: levels are added over the scopes, and each digest is over its
    /// lines sorted by their bytes.
    #[must_use]
    pub fn model(&self) -> StockModel {
        let items =
            || self.scopes.iter().flat_map(|(scope, codes)| codes.iter().map(move |(code, item)| (scope, code, item)));
        let mut levels: BTreeMap<&str, i128> = BTreeMap::new();
        for (_, code, item) in items() {
            *levels.entry(code).or_default() += i128::from(item.level);
        }
        StockModel {
            items: items().count() as u64,
            levels_digest: digest_of(levels.iter().map(|(code, level)| format!("{code}={level}\n"))),
            chain_digest: digest_of(items().map(|(scope, code, item)| format!("{scope}/{code}={}\n", item.chain))),
        }
    }
}

// Whole lines are sorted: the `=` takes part in the order.
fn digest_of(lines: impl Iterator<Item = String>) -> String {
    let mut lines: Vec<String> = lines.collect();
    lines.sort_unstable();
    Digest::of(lines.concat().as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Computed with Python's hashlib.
    #[test]
    fn the_chain_is_the_golden_one() {
        let line = |number, quantity| OrderLine::new(number, ["5", "A", "", quantity, "", "1", "", "EIRE"]);
        let mut stock = Stock::new();
        stock.add(&line(1, "6")).unwrap();
        stock.add(&line(2, "-2")).unwrap();
        let item = stock.scopes["orders.eu-west-2"]["A"];
        assert_eq!(item.level, 4);
        assert_eq!(item.chain.to_string(), "653b599f027ff65ec225991bf1dfb22643ef211eb863b9dd9436b36d7842c6d6");
    }

    #[test]
    fn levels_are_added_over_both_scopes_and_items_are_counted_in_each() {
        let mut stock = Stock::new();
        for (number, code, country) in [(1, "A", "EIRE"), (2, "A", "Japan"), (3, "a", "Japan")] {
            stock.add(&OrderLine::new(number, ["5", code, "", "6", "", "1", "", country])).unwrap();
        }
        let model = stock.model();
        assert_eq!(model.items, 3);
        assert_eq!(model.levels_digest, Digest::of(b"A=12\na=6\n").to_string());
    }

    #[test]
    fn the_order_of_a_stream_shows_in_its_chain() {
        let line = |number| OrderLine::new(number, ["5", "A", "", "6", "", "1", "", "EIRE"]);
        let fold = |numbers: [u64; 2]| {
            let mut stock = Stock::new();
            numbers.iter().for_each(|number| stock.add(&line(*number)).unwrap());
            stock.model()
        };
        let (one, other) = (fold([1, 2]), fold([2, 1]));
        assert_eq!(one.levels_digest, other.levels_digest);
        assert_ne!(one.chain_digest, other.chain_digest);
    }
}
