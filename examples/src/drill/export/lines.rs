//! Files of evidence: one JSON value a line.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use dcp_core::Error;
use serde::de::DeserializeOwned;

// The longest entry of a journal is far below.
const LINE_MAX_BYTES: u64 = 4 << 20;

/// Hands each line over, in order.
///
/// # Errors
/// `Invalid` if the file cannot be read; `Corrupt` with the line's number if it is of another form
/// or torn; what `take` answers.
pub(crate) fn each_line<T: DeserializeOwned>(
    path: &Path,
    mut take: impl FnMut(T) -> Result<(), Error>,
) -> Result<(), Error> {
    let unreadable = |cause: std::io::Error| Error::invalid("unreadable-file", format!("{}: {cause}", path.display()));
    let mut reader = BufReader::new(File::open(path).map_err(unreadable)?);
    let (mut text, mut number) = (Vec::new(), 0_u64);
    loop {
        text.clear();
        number += 1;
        if (&mut reader).take(LINE_MAX_BYTES).read_until(b'\n', &mut text).map_err(unreadable)? == 0 {
            return Ok(());
        }
        let place = || format!("{}:{number}", path.display());
        if text.last() != Some(&b'\n') {
            return Err(Error::corrupt("bad-evidence", format!("{}: the line is torn", place())));
        }
        let value = serde_json::from_slice(&text)
            .map_err(|cause| Error::corrupt("bad-evidence", format!("{}: {cause}", place())))?;
        take(value).map_err(|error| error.at(place()))?;
    }
}
