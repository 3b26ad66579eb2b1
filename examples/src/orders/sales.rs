//! Sales: counts and revenue, in total and by country. The order of the lines does not matter.

use std::collections::{BTreeMap, BTreeSet};

use dcp_core::error::Error;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::line::OrderLine;
use super::read_models::{Figures, SalesModel, plain};

/// Running figures over some lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counts {
    /// Number of lines.
    pub lines: u64,
    /// Number of different invoices.
    pub invoices: u64,
    /// Lines whose invoice is a cancellation.
    pub cancelled_lines: u64,
    /// Exact sum of quantity × unit price.
    pub revenue: Decimal,
}

impl Counts {
    /// Takes in one line; `new_invoice` says that none of the lines before was of its invoice.
    ///
    /// # Errors
    /// `Invalid` for a line whose numbers cannot be read, or if the sum would no longer be exact;
    /// nothing is changed then.
    pub fn add(&mut self, line: &OrderLine<'_>, new_invoice: bool) -> Result<(), Error> {
        self.revenue = exact_sum(self.revenue, line.amount()?)
            .ok_or_else(|| Error::invalid("revenue-out-of-range", format!("record {}: the sum", line.number())))?;
        self.lines += 1;
        self.invoices += u64::from(new_invoice);
        self.cancelled_lines += u64::from(line.is_cancelled());
        Ok(())
    }

    /// As the verdict writes them.
    #[must_use]
    pub fn figures(&self) -> Figures {
        Figures {
            lines: self.lines,
            invoices: self.invoices,
            cancelled_lines: self.cancelled_lines,
            revenue: plain(self.revenue),
        }
    }
}

// Where the digits do not suffice, a Decimal rounds and lowers the scale; that must not pass.
fn exact_sum(one: Decimal, other: Decimal) -> Option<Decimal> {
    let sum = one.checked_add(other)?;
    let exact = one.is_zero() || other.is_zero() || sum.scale() == one.scale().max(other.scale());
    exact.then_some(sum)
}

/// Sales over the lines taken in so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sales {
    total: Counts,
    by_country: BTreeMap<String, Counts>,
    invoices: BTreeSet<Box<str>>,
    // Country and invoice; one invoice is nearly always of one country, which is not relied upon.
    invoices_by_country: BTreeMap<String, BTreeSet<Box<str>>>,
}

impl Sales {
    /// No line.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one line.
    ///
    /// # Errors
    /// As [`Counts::add`].
    pub fn add(&mut self, line: &OrderLine<'_>) -> Result<(), Error> {
        let country = line.country();
        if !self.by_country.contains_key(country) {
            self.by_country.insert(country.to_owned(), Counts::default());
            self.invoices_by_country.insert(country.to_owned(), BTreeSet::new());
        }
        let new_anywhere = !self.invoices.contains(line.invoice());
        self.total.add(line, new_anywhere)?;
        if new_anywhere {
            self.invoices.insert(line.invoice().into());
        }
        if let (Some(counts), Some(invoices)) =
            (self.by_country.get_mut(country), self.invoices_by_country.get_mut(country))
        {
            let new_here = !invoices.contains(line.invoice());
            counts.add(line, new_here)?;
            if new_here {
                invoices.insert(line.invoice().into());
            }
        }
        Ok(())
    }

    /// As the verdict writes it.
    #[must_use]
    pub fn model(&self) -> SalesModel {
        let by_country = self.by_country.iter().map(|(country, counts)| (country.clone(), counts.figures()));
        SalesModel { total: self.total.figures(), by_country: by_country.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [[&str; 8]; 4] = [
        ["1", "A", "", "2", "", "0.15", "", "EIRE"],
        ["C2", "A", "", "-2", "", "0.15", "", "EIRE"],
        ["1", "a", "", "3", "", "1.005", "", "Japan"],
        ["1", "a", "", "1", "", "0", "", "Japan"],
    ];

    fn sales_of(order: [usize; 4]) -> SalesModel {
        let mut sales = Sales::new();
        for at in order {
            sales.add(&OrderLine::new(at as u64 + 1, LINES[at])).unwrap();
        }
        sales.model()
    }

    #[test]
    fn counts_are_kept_in_total_and_by_country() {
        let model = sales_of([0, 1, 2, 3]);
        let figures = |lines, invoices, cancelled_lines, revenue: &str| Figures {
            lines,
            invoices,
            cancelled_lines,
            revenue: revenue.to_owned(),
        };
        assert_eq!(model.total, figures(4, 2, 1, "3.015"));
        assert_eq!(model.by_country["EIRE"], figures(2, 2, 1, "0"));
        assert_eq!(model.by_country["Japan"], figures(2, 1, 0, "3.015"));
    }

    #[test]
    fn order_does_not_matter() {
        assert_eq!(sales_of([0, 1, 2, 3]), sales_of([3, 1, 0, 2]));
    }

    #[test]
    fn a_sum_that_would_be_rounded_is_refused() {
        let mut counts = Counts { revenue: Decimal::MAX, ..Counts::default() };
        let before = counts;
        let error = counts.add(&OrderLine::new(3, LINES[2]), true).unwrap_err();
        assert_eq!((error.code(), counts), ("revenue-out-of-range", before));
        let mut counts = Counts { revenue: Decimal::MAX / Decimal::from(1000), ..Counts::default() };
        assert!(counts.add(&OrderLine::new(3, ["1", "a", "", "1", "", "0.00000001", "", "Japan"]), true).is_err());
    }
}
