//! One server of a layout: its name, its ports, its place, and its recipe filled in.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::wrapping::{namespace, wrapped};
use super::{Disk, holders};
use crate::catalog::Recipe;
use crate::error::Error;
use crate::obtain;
use crate::ports::Port;
use crate::template::{Values, render};
use crate::tls::write_private;

/// What is needed to start one server, again and again on the same data.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) group: String,
    pub(crate) region: Option<String>,
    pub(crate) recipe: &'static Recipe,
    pub(crate) ports: BTreeMap<&'static str, Port>,
    pub(crate) values: Values,
    pub(crate) data: PathBuf,
    pub(crate) place: Place,
    /// The disk that holds what it stores, if it has one of its own.
    pub(crate) disk: Option<Disk>,
    /// What stands before its command when its clock is off.
    pub(crate) clock_off: Mutex<Vec<String>>,
    /// What it shows over TLS at first, if it speaks TLS.
    pub(crate) certificate: PathBuf,
}

/// Where a server stands in the network.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The address it listens at.
    pub(crate) host: IpAddr,
    /// The addresses that its clients come from.
    pub(crate) clients: String,
    /// What stands before its command, so that it runs inside its namespace.
    pub(crate) entering: Vec<String>,
}

impl Place {
    /// Loopback, as everything else on this machine.
    pub(crate) fn loopback() -> Self {
        Self { host: Ipv4Addr::LOCALHOST.into(), clients: "127.0.0.1/32".to_owned(), entering: Vec::new() }
    }
}

impl Member {
    /// Where its output goes.
    pub(crate) fn log(&self) -> PathBuf {
        self.data.join("output.log")
    }

    /// Writes the key and the certificate that it shows from its next start on.
    pub(crate) fn present(&self, certificate: &Path) -> Result<(), Error> {
        let none = || Error::Unknown { what: format!("certificate of {}", self.name), known: "none".to_owned() };
        let file = self.recipe.certificate.ok_or_else(none)?;
        let text = fs::read_to_string(certificate).map_err(Error::path("read", certificate))?;
        write_private(&self.data.join(file), &text)
    }

    /// Writes its files, and runs what has to be run once, on an empty data directory. Data of an earlier
    /// bed stay if their preparation was finished.
    pub(crate) fn prepare(&self) -> Result<(), Error> {
        let finished = self.data.join("prepared");
        // A small disk is mounted in a fresh folder, where nothing is left of an earlier bed.
        if !finished.exists() && self.disk.is_none() && self.data.exists() {
            fs::remove_dir_all(&self.data).map_err(Error::path("remove the half prepared", &self.data))?;
        }
        fs::create_dir_all(&self.data).map_err(Error::path("create", &self.data))?;
        for (name, text) in self.recipe.files {
            let path = self.data.join(name);
            fs::write(&path, render(text, &self.values)?).map_err(Error::path("write", &path))?;
        }
        if self.recipe.certificate.is_some() {
            self.present(&self.certificate)?;
        }
        if finished.exists() {
            return Ok(());
        }
        for command in self.recipe.prepare {
            let command = self.command(command, Vec::new())?;
            let mut prepare = Command::new(&command[0]);
            prepare.args(&command[1..]);
            obtain::run(&prepare, &self.data, &format!("prepare {}", self.name), &|_| {})?;
        }
        fs::write(&finished, "").map_err(Error::path("write", &finished))
    }

    /// Waits until nothing runs of a server that an owner before this one has started here, and removes what
    /// a killed one has left and would take for a sign of life.
    pub(crate) fn clear(&self) -> Result<(), Error> {
        // Every process of a server holds its log, locked: the supervisor of a killed owner may still be at work.
        holders::clear(&self.log())?;
        for name in self.recipe.left_by_a_kill {
            let path = self.data.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::path("remove", &path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The command that is the server.
    pub(crate) fn start_command(&self) -> Result<Vec<String>, Error> {
        let off = self.clock_off.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let start = self.command(self.recipe.start, off)?;
        Ok(self.place.entering.iter().cloned().chain(start).collect())
    }

    /// Where that port is. A proxy in front of the server stands on loopback, wherever the server is.
    pub(crate) fn address(&self, port: &str) -> Result<SocketAddr, Error> {
        let number = self.port(port)?.number();
        let front = self.recipe.proxied.1 == Some(port);
        Ok((if front { Ipv4Addr::LOCALHOST.into() } else { self.place.host }, number).into())
    }

    fn command(&self, texts: &[&str], before: Vec<String>) -> Result<Vec<String>, Error> {
        let command: Result<Vec<_>, _> = texts.iter().map(|text| render(text, &self.values)).collect();
        let command = before.into_iter().chain(command?).collect();
        let entering = self.disk.as_ref().map_or_else(Vec::new, Disk::entering);
        Ok(entering.into_iter().chain(wrapped(command, namespace(self.recipe.refuses_root))).collect())
    }

    /// The port of that name.
    pub(crate) fn port(&self, name: &str) -> Result<&Port, Error> {
        self.ports.get(name).ok_or_else(|| Error::Unknown {
            what: format!("port {name} of {}", self.name),
            known: self.recipe.ports.join(", "),
        })
    }
}

/// The end of a log, for an error.
pub(crate) fn tail(log: &Path) -> String {
    const LINES: usize = 30;
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
