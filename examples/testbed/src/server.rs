//! A real server: started, watched, hurt and stopped.

mod disk;
mod holders;
mod hurting;
mod member;
mod supervised;
mod supervisor;
mod wrapping;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::catalog::{Recipe, Stop};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::proxy::Proxy;
use crate::ready;

pub(crate) use disk::Disk;
pub use hurting::with_clock_off_by;
pub(crate) use member::{Member, Place, tail};
pub(crate) use supervised::Supervised;
pub(crate) use wrapping::DIES_WITH_PARENT;

/// A server that was asked to stop gets this long before it is killed.
const STOPS_WITHIN: Duration = Duration::from_secs(20);

/// One server. It dies with the process that holds this, however that ends.
#[derive(Debug)]
pub struct Server {
    member: Member,
    run: Mutex<Option<Supervised>>,
}

impl Server {
    pub(crate) fn of(member: Member) -> Self {
        Self { member, run: Mutex::new(None) }
    }

    pub(crate) fn member(&self) -> &Member {
        &self.member
    }

    /// Its name, such as `kafka-a`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.member.name
    }

    /// What kind of server it is.
    #[must_use]
    pub fn recipe(&self) -> &'static Recipe {
        self.member.recipe
    }

    /// The address of one of its ports; the names are the recipe's.
    ///
    /// # Errors
    /// [`Error::Unknown`] if it has no such port.
    pub fn address(&self, port: &str) -> Result<SocketAddr, Error> {
        self.member.address(port)
    }

    /// The file that holds its output.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.member.log()
    }

    /// Hands it another certificate, one of [`crate::Tls`]'s, which it shows to clients of its TLS listener
    /// from its next start on.
    ///
    /// # Errors
    /// [`Error::Unknown`] if it speaks no TLS; [`Error::Io`] if the file cannot be copied.
    pub fn present(&self, certificate: &Path) -> Result<(), Error> {
        self.member.present(certificate)
    }

    /// Its process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        let mut run = self.run();
        let run = run.as_mut()?;
        run.ended().is_none().then(|| run.pid())
    }

    /// Starts it on the data it has, and waits until it serves. Nothing happens if it runs.
    ///
    /// # Errors
    /// [`Error::NotReady`] with the end of its log.
    pub fn start(&self) -> Result<(), Error> {
        self.launch()?;
        self.wait_ready()
    }

    /// Starts it without waiting until it serves.
    pub(crate) fn launch(&self) -> Result<(), Error> {
        let mut run = self.run();
        if run.as_mut().is_some_and(|run| run.ended().is_none()) {
            return Ok(());
        }
        // The old supervisor goes first: nothing of the old server may still hold the data.
        *run = None;
        self.member.clear()?;
        *run = Some(Supervised::start(self.name(), &self.member.start_command()?, &self.log())?);
        Ok(())
    }

    /// Waits until it serves.
    pub(crate) fn wait_ready(&self) -> Result<(), Error> {
        let deadline = Deadline::within(self.member.recipe.deadline);
        loop {
            let answer = ready::ask(&self.member);
            let Err(last) = answer else { return Ok(()) };
            let ended = self.run().as_mut().is_none_or(|run| run.ended().is_some());
            if ended || !deadline.another_try() {
                return Err(self.not_ready(deadline.waited(), last));
            }
        }
    }

    fn not_ready(&self, waited: Duration, last: String) -> Error {
        let mut run = self.run();
        let ended = run.as_mut().and_then(|run| run.ended().map(str::to_owned));
        let last = ended.map_or(last, |how| format!("it has ended {how}"));
        Error::NotReady { name: self.name().to_owned(), waited, last, tail: tail(&self.log()) }
    }

    /// What it answers when it is asked in its own protocol whether it serves.
    ///
    /// # Errors
    /// Why it does not, in words.
    pub fn ask(&self) -> Result<String, String> {
        ready::ask(&self.member)
    }

    /// Stops all its processes where they are (SIGSTOP); connections stay open and silent.
    ///
    /// # Errors
    /// [`Error::Supervisor`] if it does not run, is paused already, or was not seen to stand still in time.
    pub fn pause(&self) -> Result<(), Error> {
        self.with_run("pause", Supervised::pause)
    }

    /// Lets them go on (SIGCONT).
    ///
    /// # Errors
    /// [`Error::Supervisor`] if it does not run, or is not paused.
    pub fn resume(&self) -> Result<(), Error> {
        self.with_run("resume", Supervised::resume)
    }

    /// Kills all its processes (SIGKILL) and waits until they are gone. [`Server::start`] brings it back on
    /// the same data and ports. This shows the crash of a process, not the loss of power: what the server
    /// has handed to the operating system stays.
    ///
    /// # Errors
    /// [`Error::Supervisor`] if it does not run.
    pub fn kill(&self) -> Result<(), Error> {
        self.order("kill")?;
        self.gone(STOPS_WITHIN);
        Ok(())
    }

    /// Asks it to stop, and kills it when it has not after 20 seconds.
    ///
    /// # Errors
    /// [`Error::Supervisor`] if it does not run, or had to be killed.
    pub fn stop(&self) -> Result<(), Error> {
        let order = match self.member.recipe.stop {
            Stop::Terminate => "terminate",
            Stop::Interrupt => "interrupt",
        };
        self.order(order)?;
        if self.gone(STOPS_WITHIN) {
            return Ok(());
        }
        let said = format!("the server still ran after {} s and was killed", STOPS_WITHIN.as_secs());
        Err(Error::Supervisor { name: self.name().to_owned(), order: order.to_owned(), said })
    }

    /// A seeded proxy in front of it. A server that tells its clients where to go, tells those who come
    /// this way to stay.
    ///
    /// # Errors
    /// [`Error::Io`] if the proxy cannot listen: only one can stand in front of such a server.
    pub fn proxy(&self, seed: u64) -> Result<Proxy, Error> {
        let (behind, front) = self.member.recipe.proxied;
        let front = front.map(|front| self.address(front)).transpose()?;
        Proxy::start(self.address(behind)?, front, seed)
    }

    fn order(&self, order: &str) -> Result<(), Error> {
        self.with_run(order, |run| run.order(order))
    }

    fn with_run(&self, order: &str, act: impl FnOnce(&mut Supervised) -> Result<(), Error>) -> Result<(), Error> {
        let mut run = self.run();
        let not_started = || Error::Supervisor {
            name: self.name().to_owned(),
            order: order.to_owned(),
            said: "nothing: the server is not started".to_owned(),
        };
        act(run.as_mut().ok_or_else(not_started)?)
    }

    // Afterwards nothing of it is left in any case.
    fn gone(&self, within: Duration) -> bool {
        let mut run = self.run();
        let in_time = run.as_mut().is_none_or(|run| run.wait_ended(within));
        *run = None;
        in_time
    }

    fn run(&self) -> MutexGuard<'_, Option<Supervised>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
