//! Reads the order lines: whole, checked, and kept as one text with offsets.

mod source;

use std::io::Read;
use std::path::Path;

use dcp_core::digest::Digest;
use dcp_core::error::Error;

use self::source::{Quotes, Source};
use super::line::{COLUMNS, OrderLine};

/// SHA-256 of the bundled file's unpacked bytes.
pub const BUNDLED_SHA256: &str = "c35975c40d0e1e105090fbb11188a409393055f873841bd012915475fc84e69f";
/// Most bytes of a data file, unpacked.
pub const DATA_MAX_BYTES: u64 = 1 << 30;
/// Most bytes of text of one line.
pub const LINE_MAX_BYTES: usize = 1 << 16;

/// The order lines of one file, in the file's order. Costs the text's size plus 32 bytes a line.
#[derive(Debug)]
pub struct Orders {
    text: String,
    // Where each field ends in the text; eight a line. A field begins where the one before ends.
    ends: Vec<u32>,
    digest: Digest,
}

impl Orders {
    /// Reads the file that comes with the drill, whose digest is known; the first `limit` lines
    /// are kept.
    ///
    /// # Errors
    /// `Corrupt` if it is not the file that was bundled; `Invalid` if it cannot be opened, or has
    /// fewer lines than `limit`.
    pub fn bundled(path: &Path, limit: Option<u64>) -> Result<Self, Error> {
        // Its digest is known, so that its form needs no second look.
        let orders = Self::parse(source::open(path)?, limit, Quotes::Trusted)
            .map_err(|error| Error::corrupt("bundled-data-differs", format!("{error}; copy the file again")))
            .map_err(|error| error.at(path.display()))?;
        if orders.digest.to_string() != BUNDLED_SHA256 {
            let message = format!("SHA-256 {} instead of {BUNDLED_SHA256}: copy the file again", orders.digest);
            return Err(Error::corrupt("bundled-data-differs", message).at(path.display()));
        }
        orders.limited(limit).map_err(|error| error.at(path.display()))
    }

    /// Reads a file of the same columns, plain or, where its name ends in `.zst`, packed. All of it
    /// is checked; the first `limit` lines are kept.
    ///
    /// # Errors
    /// `Invalid` with record number and field for anything that is not as it should be.
    pub fn given(path: &Path, limit: Option<u64>) -> Result<Self, Error> {
        Self::parse(source::open(path)?, limit, Quotes::Checked)
            .and_then(|orders| orders.limited(limit))
            .map_err(|error| error.at(path.display()))
    }

    /// Reads plain CSV; all of it is checked, the first `limit` lines are kept.
    ///
    /// # Errors
    /// As [`Orders::given`].
    pub fn read(from: impl Read, limit: Option<u64>) -> Result<Self, Error> {
        Self::parse(from, limit, Quotes::Checked)?.limited(limit)
    }

    fn parse(from: impl Read, limit: Option<u64>, quotes: Quotes) -> Result<Self, Error> {
        let mut reader = csv::ReaderBuilder::new().from_reader(Source::new(from, quotes));
        let mut orders = Self { text: String::new(), ends: Vec::new(), digest: Digest::ZERO };
        // What a known digest vouches for needs no look past the lines that are kept.
        let until = if quotes == Quotes::Trusted { limit } else { None };
        let parsed = orders.take_all(&mut reader, limit, until);
        // A broken quote swallows what follows, so the error it leads to may name a later record.
        let fault = reader.get_ref().fault();
        match (parsed, fault) {
            (Err(error), None) => return Err(error),
            (_, Some(fault)) => return Err(fault),
            (Ok(()), None) => {}
        }
        orders.digest = reader.into_inner().finish()?;
        orders.text.shrink_to_fit();
        orders.ends.shrink_to_fit();
        Ok(orders)
    }

    fn take_all<R: Read>(
        &mut self,
        reader: &mut csv::Reader<R>,
        limit: Option<u64>,
        until: Option<u64>,
    ) -> Result<(), Error> {
        let header = reader.headers().map_err(|cause| unreadable(0, &cause))?;
        if header.iter().ne(COLUMNS) {
            return Err(Error::invalid("bad-header", format!("record 0: the header is not {}", COLUMNS.join(","))));
        }
        let mut record = csv::StringRecord::new();
        let mut number = 0;
        while until.is_none_or(|until| number < until)
            && reader.read_record(&mut record).map_err(|cause| unreadable(number + 1, &cause))?
        {
            number += 1;
            check(number, &record)?;
            if limit.is_none_or(|limit| number <= limit) {
                self.keep(number, &record)?;
            }
        }
        Ok(())
    }

    fn keep(&mut self, number: u64, record: &csv::StringRecord) -> Result<(), Error> {
        for field in record {
            self.text.push_str(field);
            let end = u32::try_from(self.text.len())
                .map_err(|_| Error::invalid("data-too-large", format!("record {number}: above 4 GiB of text")))?;
            self.ends.push(end);
        }
        Ok(())
    }

    fn limited(self, limit: Option<u64>) -> Result<Self, Error> {
        match limit {
            Some(limit) if limit == 0 || limit > self.len() => Err(Error::invalid(
                "bad-limit",
                format!("{limit} lines were asked for: at least 1 and at most the file's {}", self.len()),
            )),
            _ if self.is_empty() => Err(Error::invalid("no-lines", "the file has a header and no lines")),
            _ => Ok(self),
        }
    }

    /// Number of lines; also the number of the last one.
    #[must_use]
    pub fn len(&self) -> u64 {
        (self.ends.len() / COLUMNS.len()) as u64
    }

    /// Whether there is no line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// SHA-256 of the whole file, unpacked, whatever the limit: which data this is.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// A line by its number, from 1; none past the last.
    #[must_use]
    pub fn line(&self, number: u64) -> Option<OrderLine<'_>> {
        let first = usize::try_from(number.checked_sub(1)?).ok()?.checked_mul(COLUMNS.len())?;
        let ends = self.ends.get(first..first + COLUMNS.len())?;
        let mut start = if first == 0 { 0 } else { self.ends[first - 1] as usize };
        let mut fields = [""; COLUMNS.len()];
        for (field, end) in fields.iter_mut().zip(ends) {
            *field = &self.text[start..*end as usize];
            start = *end as usize;
        }
        Some(OrderLine::new(number, fields))
    }

    /// All lines, in order.
    pub fn iter(&self) -> impl Iterator<Item = OrderLine<'_>> {
        (1..=self.len()).filter_map(|number| self.line(number))
    }
}

fn check(number: u64, record: &csv::StringRecord) -> Result<(), Error> {
    let length: usize = record.iter().map(str::len).sum();
    if length > LINE_MAX_BYTES {
        let message = format!("record {number}: {length} bytes, at most {LINE_MAX_BYTES}");
        return Err(Error::invalid("line-too-long", message));
    }
    let mut fields = [""; COLUMNS.len()];
    for (field, text) in fields.iter_mut().zip(record) {
        *field = text;
    }
    let line = OrderLine::new(number, fields);
    line.amount()?;
    line.home()?;
    Ok(())
}

fn unreadable(number: u64, cause: &csv::Error) -> Error {
    match cause.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => Error::invalid(
            "bad-column-count",
            format!("record {number}: {len} fields instead of {expected_len}; the last read is field {len}"),
        ),
        csv::ErrorKind::Utf8 { err, .. } => {
            let column = COLUMNS.get(err.field()).copied().unwrap_or("past the last");
            Error::invalid("bad-text", format!("record {number}, field {column}: not UTF-8"))
        }
        _ => Error::invalid("unreadable-data", format!("record {number}: {cause}")),
    }
}

#[cfg(test)]
mod tests;
