//! One server for all tests of a run.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::address::Address;
use crate::bed::Bed;
use crate::error::Error;
use crate::layout::Wanted;

/// The variable by which `cargo testbed run` tells tests that the servers are there already.
pub const ADDRESSES: &str = "TESTBED_ADDRESSES";

static STARTED: Mutex<BTreeMap<String, Bed>> = Mutex::new(BTreeMap::new());

/// The addresses of the servers of a kind. Under `cargo testbed run` they are those of its testbed, one
/// for the whole run; otherwise the first caller of a process starts one server in region `a`, all others
/// of that process share it, and it ends with the process. It blocks until the server serves. Tests share
/// what it holds, so each uses names of its own in it and hurts it in no way.
///
/// # Errors
/// As [`Bed::start`]. [`Error::Unknown`] if the testbed that is up has none of that kind.
pub fn shared(kind: &str) -> Result<Vec<Address>, Error> {
    if let Some(addresses) = given()? {
        let of_kind: Vec<_> = addresses.into_iter().filter(|address| address.kind == kind).collect();
        if of_kind.is_empty() {
            let known = format!("what {ADDRESSES} names");
            return Err(Error::Unknown { what: format!("server {kind}"), known });
        }
        return Ok(of_kind);
    }
    // Held while the server starts: the others wait for it instead of starting theirs.
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(bed) = started.get(kind) {
        return bed.addresses();
    }
    let bed = Bed::start(&Wanted::one(kind), &|line| eprintln!("testbed: {line}"))?;
    let addresses = bed.addresses();
    started.insert(kind.to_owned(), bed);
    addresses
}

fn given() -> Result<Option<Vec<Address>>, Error> {
    let Some(path) = std::env::var_os(ADDRESSES) else { return Ok(None) };
    let text = std::fs::read(&path).map_err(Error::path("read", &path))?;
    let addresses = serde_json::from_slice(&text);
    addresses.map(Some).map_err(|error| Error::path("understand", &path)(error.into()))
}
