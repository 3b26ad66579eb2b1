//! Read models as the verdict and the checker write them.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Figures over some lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct Figures {
    /// Number of lines.
    pub lines: u64,
    /// Number of different invoices.
    pub invoices: u64,
    /// Lines whose invoice is a cancellation.
    pub cancelled_lines: u64,
    /// Sum of quantity × unit price; a plain decimal as [`plain`] writes it.
    pub revenue: String,
}

/// What `sales` says: figures over all lines, and for each country.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct SalesModel {
    /// All lines.
    #[serde(flatten)]
    pub total: Figures,
    /// By the country's name as the file writes it.
    pub by_country: BTreeMap<String, Figures>,
}

/// What `stock` says, as digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct StockModel {
    /// Pairs of scope and stock code.
    pub items: u64,
    /// SHA-256 over the lines `code=level`, in hex.
    pub levels_digest: String,
    /// SHA-256 over the lines `scope/code=chain`, in hex.
    pub chain_digest: String,
}

/// Both read models of one region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct ReadModels {
    /// Sales.
    pub sales: SalesModel,
    /// Stock.
    pub stock: StockModel,
}

/// A decimal as plain text: no exponent, no trailing zeros, and `0` for every zero.
#[must_use]
pub fn plain(number: Decimal) -> String {
    if number.is_zero() { "0".to_owned() } else { number.normalize().to_string() }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    #[test]
    fn decimals_are_plain() {
        let written = ["-1.50", "-0.00", "100", "0.0000000000000000000000001", "-0"]
            .map(|text| plain(Decimal::from_str(text).unwrap()));
        assert_eq!(written, ["-1.5", "0", "100", "0.0000000000000000000000001", "0"]);
    }
}
