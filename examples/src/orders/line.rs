//! One order line: its number and the exact text of its eight fields.

use std::borrow::Cow;

use dcp_core::error::Error;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::homes::Home;

/// The file's columns, in order.
pub const COLUMNS: [&str; 8] =
    ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"];

/// Largest quantity without its sign.
pub const QUANTITY_MAX: i64 = 1_000_000_000;
/// Longest unit price as text, in bytes, and most digits after its point: with [`QUANTITY_MAX`] a
/// product stays exact in a [`Decimal`].
pub const PRICE_MAX_BYTES: usize = 16;
/// See [`PRICE_MAX_BYTES`].
pub const PRICE_MAX_SCALE: u32 = 8;

/// One order line. The text of a field is exactly the file's: leading and trailing spaces count,
/// and stock codes that differ only by case are different.
///
/// As JSON it is one array: the number, then the eight fields as strings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderLine<'a>(
    u64,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
);

impl<'a> OrderLine<'a> {
    /// A line from its number and fields, in the order of [`COLUMNS`].
    #[must_use]
    pub fn new(number: u64, fields: [&'a str; 8]) -> Self {
        let [invoice, code, description, quantity, date, price, customer, country] = fields.map(Cow::Borrowed);
        Self(number, invoice, code, description, quantity, date, price, customer, country)
    }

    /// Record number in the file, from 1.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.0
    }

    /// The eight fields, in the order of [`COLUMNS`].
    #[must_use]
    pub fn fields(&self) -> [&str; 8] {
        [&self.1, &self.2, &self.3, &self.4, &self.5, &self.6, &self.7, &self.8]
    }

    /// Invoice number.
    #[must_use]
    pub fn invoice(&self) -> &str {
        &self.1
    }

    /// Whether the line belongs to a cancellation: its invoice begins with `C`.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.1.starts_with('C')
    }

    /// Stock code, the stream of its event.
    #[must_use]
    pub fn stock_code(&self) -> &str {
        &self.2
    }

    /// Quantity as the file writes it.
    #[must_use]
    pub fn quantity_text(&self) -> &str {
        &self.4
    }

    /// Country as the file writes it.
    #[must_use]
    pub fn country(&self) -> &str {
        &self.8
    }

    /// Home of the line.
    ///
    /// # Errors
    /// `Invalid` with record number and field, for a country outside the table.
    pub fn home(&self) -> Result<Home, Error> {
        Home::of(self.country()).ok_or_else(|| self.bad_field("unknown-country", 7, "is not one of the 38 known names"))
    }

    /// Quantity as a number.
    ///
    /// # Errors
    /// `Invalid` with record number and field, unless it is a whole number of at most
    /// [`QUANTITY_MAX`] without its sign.
    pub fn quantity(&self) -> Result<i64, Error> {
        let digits = self.4.strip_prefix('-').unwrap_or(&self.4);
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = if plain { self.4.parse::<i64>().ok() } else { None };
        number
            .filter(|number| number.abs() <= QUANTITY_MAX)
            .ok_or_else(|| self.bad_field("bad-quantity", 3, "is not a whole number of at most 1000000000"))
    }

    /// Unit price as an exact decimal.
    ///
    /// # Errors
    /// `Invalid` with record number and field, unless it is a plain decimal of at most
    /// [`PRICE_MAX_BYTES`] with at most [`PRICE_MAX_SCALE`] digits after the point.
    pub fn unit_price(&self) -> Result<Decimal, Error> {
        let digits = self.6.strip_prefix('-').unwrap_or(&self.6);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let plain = self.6.len() <= PRICE_MAX_BYTES && is_number(whole) && is_number(fraction);
        let price = if plain { Decimal::from_str_exact(&self.6).ok() } else { None };
        price.filter(|price| price.scale() <= PRICE_MAX_SCALE).ok_or_else(|| {
            self.bad_field("bad-price", 5, "is not a plain decimal of at most 16 characters, 8 of them after the point")
        })
    }

    /// What was paid: quantity × unit price, exact.
    ///
    /// # Errors
    /// As [`OrderLine::quantity`] and [`OrderLine::unit_price`].
    pub fn amount(&self) -> Result<Decimal, Error> {
        // At most 10 + 16 digits, of which at most 8 after the point: a Decimal holds 28.
        Decimal::from(self.quantity()?)
            .checked_mul(self.unit_price()?)
            .ok_or_else(|| self.bad_field("amount-out-of-range", 5, "times the quantity is out of range"))
    }

    fn bad_field(&self, code: &'static str, column: usize, what: &str) -> Error {
        let field = self.fields()[column];
        Error::invalid(code, format!("record {}, field {}: {field:?} {what}", self.0, COLUMNS[column]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(quantity: &'static str, price: &'static str, country: &'static str) -> OrderLine<'static> {
        OrderLine::new(7, ["C5", "85123a", " POT ", quantity, "2010-12-01", price, "", country])
    }

    #[test]
    fn numbers_are_exact_and_fields_are_kept() {
        let line = line("-6", "2.55", "EIRE");
        assert_eq!(line.amount().unwrap().to_string(), "-15.30");
        assert_eq!((line.fields()[2], line.is_cancelled(), line.home().unwrap()), (" POT ", true, Home::West));
    }

    #[test]
    fn what_is_no_number_is_refused_with_record_and_field() {
        for quantity in ["", "-", "+6", " 6", "6.0", "1e3", "9999999999", "99999999999999999999", "٣"] {
            let error = line(quantity, "1", "EIRE").quantity().unwrap_err();
            assert!(error.message().starts_with("record 7, field Quantity: "), "{error}");
        }
        for price in ["", ".", "1.", ".5", "+1", "1,5", "1e3", "NaN", "0.000000001", "12345678901234567"] {
            let error = line("1", price, "EIRE").unit_price().unwrap_err();
            assert!(error.message().starts_with("record 7, field UnitPrice: "), "{error}");
        }
        let error = line("1", "1", "Narnia").home().unwrap_err();
        assert_eq!((error.code(), error.message().starts_with("record 7, field Country: ")), ("unknown-country", true));
    }

    #[test]
    fn the_largest_product_is_exact() {
        let amount = line("999999999", "9999999.99999999", "EIRE").amount().unwrap();
        assert_eq!(amount.to_string(), "9999999989999990.00000001");
    }
}
