//! The process behind `cargo testbed up`: it holds the servers, answers on a socket, and takes the
//! servers with it when it ends, however it ends. There is one for each cache directory.

mod conversation;
mod place;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::bed::Bed;
use crate::cache;
use crate::error::Error;
use crate::layout::Wanted;
use conversation::{Request, answer};

pub use conversation::{Fault, State};

/// A fault may bring a server back, which takes as long as its start.
const ANSWERS_WITHIN: Duration = Duration::from_secs(300);
/// A request is a short line.
const REQUEST_MAX: u64 = 4096;

/// What a keeper says, a line each: what it does, and at last that all servers serve, or why not.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    /// What is going on.
    Progress(String),
    /// All servers serve; these are their addresses. From now on the keeper says nothing more.
    Ready(Vec<Address>),
    /// It has given up.
    Failed(String),
}

/// Starts the servers and keeps them until it is asked to let go; what it says goes to `say`, which ends this
/// process if nobody listens any more: the servers then end with it.
///
/// # Errors
/// As [`Bed::start`]; or another keeper is there, or on its way.
pub fn keep(wanted: &Wanted, say: &(dyn Fn(&Said) + Sync)) -> Result<(), Error> {
    let socket = socket()?;
    // Held to the end, also through a start of minutes: two keepers never know of each other otherwise.
    let Some(_alone) = place::take()? else {
        let cure = "cargo testbed down".to_owned();
        return Err(Error::Missing { what: "room: a testbed is up or coming up, which".to_owned(), cure });
    };
    let bed = Bed::start(wanted, &|line| say(&Said::Progress(line.to_owned())))?;
    // What a killed keeper has left.
    let _left = fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).map_err(Error::path("listen at", &socket))?;
    say(&Said::Ready(bed.addresses()?));
    let mut asker = None;
    for mut stream in listener.incoming().flatten() {
        if matches!(serve(&bed, &mut stream), Some(Request::Down)) {
            asker = Some(stream);
            break;
        }
    }
    drop(bed);
    let removed = fs::remove_file(&socket).map_err(Error::path("remove", &socket));
    // Whoever asked waits for this end: now nothing is left.
    drop(asker);
    removed
}

// Whoever asks wrongly, or goes away in between, gets no answer; the servers go on.
fn serve(bed: &Bed, stream: &mut UnixStream) -> Option<Request> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut line = String::new();
    BufReader::new((&*stream).take(REQUEST_MAX)).read_line(&mut line).ok()?;
    let request: Request = serde_json::from_str(&line).ok()?;
    let answer = serde_json::to_string(&answer(bed, &request)).ok()?;
    writeln!(stream, "{answer}").ok()?;
    Some(request)
}

/// The servers of the testbed that is up, or nothing if none is.
///
/// # Errors
/// If it does not answer.
pub fn status() -> Result<Option<Vec<State>>, Error> {
    ask(&Request::Status)
}

/// Lets the servers of the testbed that is up go; says which they were: none of one that was still coming up,
/// whose keeper is killed, and its servers with it.
///
/// # Errors
/// If it does not answer.
pub fn down() -> Result<Option<Vec<State>>, Error> {
    match ask(&Request::Down)? {
        None if place::kill_holder()? => Ok(Some(Vec::new())),
        answered => Ok(answered),
    }
}

/// Does something to one server of the testbed that is up.
///
/// # Errors
/// If there is none of that name, or it does not obey.
pub fn fault(server: &str, fault: Fault) -> Result<Option<Vec<State>>, Error> {
    ask(&Request::Fault { server: server.to_owned(), fault })
}

fn ask(request: &Request) -> Result<Option<Vec<State>>, Error> {
    let socket = socket()?;
    let Ok(mut stream) = UnixStream::connect(&socket) else { return Ok(None) };
    let doing = "ask the testbed that is up";
    stream.set_read_timeout(Some(ANSWERS_WITHIN)).map_err(Error::io(doing))?;
    let request = serde_json::to_string(request).map_err(|error| Error::io(doing)(error.into()))?;
    writeln!(stream, "{request}").map_err(Error::io(doing))?;
    let mut line = String::new();
    let mut answers = BufReader::new(stream);
    answers.read_line(&mut line).map_err(Error::io(doing))?;
    // After a word to let go, the end comes when all is gone.
    answers.read_to_end(&mut Vec::new()).map_err(Error::io(doing))?;
    let answer: Result<Vec<State>, String> =
        serde_json::from_str(&line).map_err(|error| Error::io(doing)(error.into()))?;
    answer.map(Some).map_err(|why| Error::io(doing)(std::io::Error::other(why)))
}

/// The file for what a keeper and its supervisors complain of.
///
/// # Errors
/// If there is no cache directory.
pub fn log() -> Result<PathBuf, Error> {
    Ok(cache::folder("up")?.join("keeper.log"))
}

fn socket() -> Result<PathBuf, Error> {
    Ok(cache::folder("up")?.join("socket"))
}
