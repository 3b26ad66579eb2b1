//! Free ports on loopback that stay free.
//!
//! A port is taken from below the range that the system gives to outgoing connections, and is held by a
//! lock on a file as long as its owner lives: so a server can be killed and come back on its own port,
//! and two testbeds on one machine do not meet.

use std::fs::{File, TryLockError};
use std::net::{Ipv4Addr, TcpListener};

use crate::cache;
use crate::error::Error;

const LOWEST: u16 = 15_000;
/// Where the range for outgoing connections begins when the system does not say.
const OUTGOING_USUALLY: u16 = 32_768;
const TRIES_MAX: u32 = 10_000;

/// A port that nobody else takes.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _held: File,
}

impl Port {
    /// Takes a free one.
    pub(crate) fn take() -> Result<Self, Error> {
        let above = outgoing_from().max(LOWEST + 1_000);
        let folder = cache::folder("ports")?;
        // Spread by the process, so that two processes rarely try the same ones.
        let mut candidate = std::process::id().wrapping_mul(2_654_435_761);
        for _ in 0..TRIES_MAX {
            candidate = candidate.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let offset = u16::try_from((candidate >> 8) % u32::from(above - LOWEST)).unwrap_or_default();
            if let Some(port) = Self::try_take(&folder.join(format!("{}.lock", LOWEST + offset)), LOWEST + offset)? {
                return Ok(port);
            }
        }
        Err(Error::Missing { what: "a free port".to_owned(), cure: "cargo testbed down".to_owned() })
    }

    fn try_take(lock: &std::path::Path, number: u16) -> Result<Option<Self>, Error> {
        let held = File::create(lock).map_err(Error::path("create", lock))?;
        match held.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(Error::path("lock", lock)(error)),
        }
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok();
        Ok(free.then_some(Self { number, _held: held }))
    }

    /// Its number.
    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}

fn outgoing_from() -> u16 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    range.split_whitespace().next().and_then(|low| low.parse().ok()).unwrap_or(OUTGOING_USUALLY)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ports_are_free_different_and_not_for_outgoing_connections() {
        let ports: Vec<_> = (0..20).map(|_| Port::take().unwrap()).collect();
        let numbers: BTreeSet<_> = ports.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), 20);
        assert!(numbers.iter().all(|number| *number < outgoing_from()));
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, ports[0].number())).is_ok());
    }

    #[test]
    fn a_held_port_is_not_given_again() {
        let port = Port::take().unwrap();
        let lock = cache::folder("ports").unwrap().join(format!("{}.lock", port.number()));
        assert!(Port::try_take(&lock, port.number()).unwrap().is_none());
    }
}
