//! One run of a server: its supervisor, the orders to it and what it says.

use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::time::Duration;

use super::supervisor;
use crate::deadline::Deadline;
use crate::error::Error;

/// A supervisor answers at once; stopping a process in the middle of a disk write takes a little.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// A server that was started. Letting go of it kills it.
#[derive(Debug)]
pub(crate) struct Supervised {
    name: String,
    process: Child,
    orders: Option<ChildStdin>,
    said: Receiver<String>,
    ended: Option<String>,
    standing: Standing,
    pid: u32,
}

/// Whether its processes stand still, as far as orders were answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Runs,
    /// Told to stop, with no answer that all did.
    Half,
    Stopped,
}

impl Supervised {
    /// Starts the command; its output is added to the log.
    pub(crate) fn start(name: &str, command: &[String], log: &Path) -> Result<Self, Error> {
        let doing = format!("start {name}");
        let mut process = supervisor::command()?
            .arg(log)
            .arg("--")
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            // A Ctrl-C at the terminal is for the owner, who then lets go of the lifeline.
            .process_group(0)
            .spawn()
            .map_err(Error::io(&*doing))?;
        let orders = process.stdin.take();
        let out = process.stdout.take();
        let (says, said) = channel();
        std::thread::spawn(move || {
            for line in out.into_iter().flat_map(|out| BufReader::new(out).lines()).map_while(Result::ok) {
                if says.send(line).is_err() {
                    return;
                }
            }
        });
        let mut started =
            Self { name: name.to_owned(), process, orders, said, ended: None, standing: Standing::Runs, pid: 0 };
        let line = started.hear("start")?;
        match line.strip_prefix("started ").and_then(|pid| pid.parse().ok()) {
            Some(pid) => started.pid = pid,
            None => return Err(started.refused("start", line)),
        }
        Ok(started)
    }

    /// The server's own process.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// How it has ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<&str> {
        while self.ended.is_none() {
            match self.said.try_recv() {
                Ok(line) => self.note(&line),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => self.note_supervisor_gone(),
            }
        }
        self.ended.as_deref()
    }

    /// Gives an order and waits until it is obeyed.
    pub(crate) fn order(&mut self, order: &str) -> Result<(), Error> {
        if let Some(ended) = self.ended() {
            let said = format!("the server has ended {ended}");
            return Err(self.refused(order, said));
        }
        let told = self.orders.as_mut().is_some_and(|orders| writeln!(orders, "{order}").is_ok());
        if !told {
            return Err(self.refused(order, "nothing: it is gone".to_owned()));
        }
        let line = self.hear_of(order)?;
        if line == format!("done {order}") { Ok(()) } else { Err(self.refused(order, line)) }
    }

    /// Stops every process of it where it stands.
    pub(crate) fn pause(&mut self) -> Result<(), Error> {
        if self.standing == Standing::Stopped && self.ended().is_none() {
            return Err(self.refused("pause", "nothing: it is paused already".to_owned()));
        }
        self.standing = Standing::Half;
        self.order("pause")?;
        self.standing = Standing::Stopped;
        Ok(())
    }

    /// Lets them go on.
    pub(crate) fn resume(&mut self) -> Result<(), Error> {
        if self.standing == Standing::Runs && self.ended().is_none() {
            return Err(self.refused("resume", "nothing: it is not paused".to_owned()));
        }
        self.order("resume")?;
        self.standing = Standing::Runs;
        Ok(())
    }

    // The answer to an earlier order may come late; its caller has given it up.
    fn hear_of(&mut self, order: &str) -> Result<String, Error> {
        loop {
            let line = self.hear(order)?;
            if !is_late(&line, order) {
                return Ok(line);
            }
        }
    }

    /// Waits until the server has ended and nothing of it is left.
    pub(crate) fn wait_ended(&mut self, within: Duration) -> bool {
        let deadline = Deadline::within(within);
        while self.ended.is_none() {
            match self.said.recv_timeout(deadline.left()) {
                Ok(line) => self.note(&line),
                Err(RecvTimeoutError::Timeout) => return false,
                Err(RecvTimeoutError::Disconnected) => self.note_supervisor_gone(),
            }
        }
        true
    }

    // The server carries a death signal against this. What of it was stopped may stay; its next start kills that.
    fn note_supervisor_gone(&mut self) {
        self.ended = Some("with its supervisor, which was killed".to_owned());
    }

    fn note(&mut self, line: &str) {
        if let Some(how) = line.strip_prefix("exited ") {
            self.ended = Some(how.to_owned());
        }
    }

    fn hear(&mut self, order: &str) -> Result<String, Error> {
        match self.said.recv_timeout(ANSWERS_WITHIN) {
            Ok(line) => {
                self.note(&line);
                Ok(line)
            }
            Err(RecvTimeoutError::Disconnected) => {
                self.note_supervisor_gone();
                Err(self.refused(order, "nothing: it was killed".to_owned()))
            }
            Err(RecvTimeoutError::Timeout) => {
                Err(self.refused(order, format!("nothing for {} s", ANSWERS_WITHIN.as_secs())))
            }
        }
    }

    fn refused(&self, order: &str, said: String) -> Error {
        Error::Supervisor { name: self.name.clone(), order: order.to_owned(), said }
    }
}

fn is_late(line: &str, order: &str) -> bool {
    line.strip_prefix("done ").is_some_and(|done| done != order)
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // Without its lifeline it kills all that is left; then there is only itself to reap.
        drop(self.orders.take());
        let _reaped = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::is_late;

    #[test]
    fn the_answer_to_an_order_before_is_passed_over() {
        assert!(is_late("done pause", "resume"));
        assert!(!is_late("done resume", "resume"));
        assert!(!is_late("exited with code 0", "resume") && !is_late("failed pause: 2 run", "pause"));
    }
}
