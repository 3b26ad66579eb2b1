//! Child processes, seen from their parent: the same binary, its lines on standard output, and the
//! end that nobody planned.

use std::ffi::OsStr;
use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dcp_core::Error;
use dcp_core::tasks::TaskGroup;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, Command};
use tokio::sync::{Mutex, watch};

use crate::child::Line;
use crate::producer::Progress;

/// A running child.
#[derive(Debug)]
pub struct Child {
    name: String,
    pid: Pid,
    input: Mutex<Option<ChildStdin>>,
    planned: Arc<AtomicBool>,
    lines: watch::Receiver<Vec<Line>>,
    ended: watch::Receiver<Option<ExitStatus>>,
}

impl Child {
    /// Starts the drill's binary with arguments; its standard error goes to `log`.
    ///
    /// An end that was not [`planned`](Child::plan_end) is an error of the group.
    ///
    /// # Errors
    /// `Stopped` if it cannot be started.
    pub fn start(
        program: &Path,
        name: &str,
        arguments: &[String],
        log: &Path,
        group: &mut TaskGroup,
    ) -> Result<Arc<Self>, Error> {
        Self::start_inside(&[], program, name, arguments, log, group)
    }

    /// The same inside a network namespace: `inside` is what stands before a command that enters it.
    ///
    /// # Errors
    /// As [`Child::start`].
    pub fn start_inside(
        inside: &[String],
        program: &Path,
        name: &str,
        arguments: &[String],
        log: &Path,
        group: &mut TaskGroup,
    ) -> Result<Arc<Self>, Error> {
        let failed = |cause: std::io::Error| Error::stopped("no-child", format!("{name}: {cause}"));
        if let Some(folder) = log.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let log = File::options().create(true).append(true).open(log).map_err(failed)?;
        let mut words = inside.iter().map(OsStr::new).chain([program.as_os_str()]);
        let mut child = Command::new(words.next().unwrap_or(program.as_os_str()))
            .args(words)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(log))
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| Error::stopped("no-child", format!("{name}: ended at once")))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (publish_lines, lines) = watch::channel(Vec::new());
        let (publish_end, ended) = watch::channel(None);
        let planned = Arc::new(AtomicBool::new(false));
        if let Some(output) = output {
            group.spawn(format!("{name}'s lines"), async move {
                let mut reader = BufReader::new(output).lines();
                while let Ok(Some(text)) = reader.next_line().await {
                    if let Ok(line) = serde_json::from_str::<Line>(&text) {
                        publish_lines.send_modify(|lines| keep(lines, line));
                    }
                }
                Ok(())
            });
        }
        let (stop, of_child, expected) = (group.stop_token(), name.to_owned(), Arc::clone(&planned));
        group.spawn(name.to_owned(), async move {
            let status = tokio::select! {
                biased;
                status = child.wait() => status,
                () = stop.cancelled() => { let _ = child.start_kill(); child.wait().await }
            };
            let status = status.map_err(|cause| Error::stopped("no-child", format!("{of_child}: {cause}")))?;
            publish_end.send_replace(Some(status));
            if expected.load(Ordering::SeqCst) || stop.is_cancelled() {
                return Ok(());
            }
            // Nobody joins the group while the story is told: this is how it learns of the end.
            stop.cancel();
            Err(Error::stopped("child-ended", format!("{of_child} ended unplanned: {status}")))
        });
        Ok(Arc::new(Self { name: name.to_owned(), pid, input: Mutex::new(input), planned, lines, ended }))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it has said: the newest line of each kind.
    #[must_use]
    pub fn lines(&self) -> watch::Receiver<Vec<Line>> {
        self.lines.clone()
    }

    /// Waits for its address and, of a region, that of its appends.
    ///
    /// # Errors
    /// `Retry` if it does not serve within the time; its log says why.
    pub async fn ready(&self, within: Duration) -> Result<(SocketAddr, Option<SocketAddr>), Error> {
        let address_of = |lines: &Vec<Line>| {
            lines.iter().find_map(|line| {
                if let Line::Ready { address, appends } = line { Some((*address, *appends)) } else { None }
            })
        };
        self.said(within, address_of).await
    }

    /// Waits for the addresses of a gate.
    ///
    /// # Errors
    /// As [`Child::ready`].
    pub async fn gate(&self, within: Duration) -> Result<Vec<SocketAddr>, Error> {
        self.said(within, |lines| {
            lines
                .iter()
                .find_map(|line| if let Line::Gate { addresses } = line { Some(addresses.clone()) } else { None })
        })
        .await
    }

    async fn said<T>(&self, within: Duration, of: impl Fn(&Vec<Line>) -> Option<T>) -> Result<T, Error> {
        let mut lines = self.lines.clone();
        match tokio::time::timeout(within, lines.wait_for(|lines| of(lines).is_some())).await {
            Ok(Ok(lines)) => of(&lines).ok_or_else(|| Error::retry("not-ready", self.name.clone())),
            Ok(Err(_)) => {
                Err(Error::stopped("child-ended", format!("{} ended before it served; see its log", self.name)))
            }
            Err(_) => {
                Err(Error::retry("not-ready", format!("{} does not serve after {within:?}; see its log", self.name)))
            }
        }
    }

    /// How far a producer is; nothing yet before its first line.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let newest = |line: &Line| if let Line::Progress { progress } = line { Some(progress.clone()) } else { None };
        self.lines.borrow().iter().find_map(newest).unwrap_or_default()
    }

    /// Highest resident memory so far, in mebibytes; 0 once it has ended.
    #[must_use]
    pub fn peak_memory_mb(&self) -> u64 {
        crate::memory::peak_memory_mb(self.pid.as_raw_nonzero().get())
    }

    /// Sends one line to its standard input.
    ///
    /// # Errors
    /// `Stopped` if it no longer reads.
    pub async fn send(&self, line: &str) -> Result<(), Error> {
        let mut input = self.input.lock().await;
        let gone = || Error::stopped("child-ended", format!("{} no longer reads", self.name));
        let pipe = input.as_mut().ok_or_else(gone)?;
        pipe.write_all(format!("{line}\n").as_bytes()).await.map_err(|_| gone())?;
        pipe.flush().await.map_err(|_| gone())
    }

    /// From here on its end is planned.
    pub fn plan_end(&self) {
        self.planned.store(true, Ordering::SeqCst);
    }

    /// Stops it where it stands (`SIGSTOP`).
    ///
    /// # Errors
    /// `Stopped` if it has ended.
    pub fn pause(&self) -> Result<(), Error> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on (`SIGCONT`).
    ///
    /// # Errors
    /// `Stopped` if it has ended.
    pub fn wake(&self) -> Result<(), Error> {
        self.signal(Signal::CONT)
    }

    /// Kills it (`SIGKILL`), planned, and waits for its end.
    ///
    /// # Errors
    /// `Stopped` if it had ended before.
    pub async fn kill(&self) -> Result<(), Error> {
        self.plan_end();
        self.signal(Signal::KILL)?;
        self.ended().await;
        Ok(())
    }

    /// Asks it to end by closing its input, and waits; kills it after the time.
    pub async fn finish(&self, within: Duration) {
        self.plan_end();
        self.input.lock().await.take();
        if tokio::time::timeout(within, self.ended()).await.is_err() {
            let _ = self.signal(Signal::KILL);
            self.ended().await;
        }
    }

    async fn ended(&self) {
        let _ = self.ended.clone().wait_for(Option::is_some).await;
    }

    fn signal(&self, signal: Signal) -> Result<(), Error> {
        if self.ended.borrow().is_some() {
            return Err(Error::stopped("child-ended", format!("{} has ended", self.name)));
        }
        kill_process(self.pid, signal).map_err(|cause| Error::stopped("no-signal", format!("{}: {cause}", self.name)))
    }
}

// The newest line of each kind is all that anyone asks for.
fn keep(lines: &mut Vec<Line>, line: Line) {
    lines.retain(|old| std::mem::discriminant(old) != std::mem::discriminant(&line));
    lines.push(line);
}
