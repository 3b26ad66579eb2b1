//! Addresses that no other testbed on this machine has: a block of the range for benchmarks (RFC 2544), which
//! no network uses, held by a lock on a file as long as its owner lives.

use std::fs::{File, TryLockError};
use std::net::Ipv4Addr;

use crate::cache;
use crate::error::Error;

/// 198.18.0.0/15 has so many blocks of 256 addresses.
const BLOCKS: u16 = 512;

/// 256 addresses: four for each place, of which its cable's two ends have one each.
#[derive(Debug)]
pub(super) struct Block {
    number: u16,
    _held: File,
}

impl Block {
    /// Takes a free one.
    pub(super) fn take() -> Result<Self, Error> {
        let folder = cache::folder("networks")?;
        for number in 0..BLOCKS {
            let path = folder.join(format!("{number}.lock"));
            let held = File::create(&path).map_err(Error::path("create", &path))?;
            match held.try_lock() {
                Ok(()) => return Ok(Self { number, _held: held }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(Error::path("lock", &path)(error)),
            }
        }
        Err(Error::Missing { what: "a free network".to_owned(), cure: "cargo testbed down".to_owned() })
    }

    /// What the test's end of its cable is called.
    pub(super) fn cable(&self) -> String {
        format!("testbed{}", self.number)
    }

    /// All of it.
    pub(super) fn range(&self) -> String {
        format!("{}/24", self.address(0))
    }

    /// The address of a place.
    pub(super) fn near(&self, place: usize) -> Ipv4Addr {
        self.address(place * 4 + 2)
    }

    /// The other end of its cable.
    pub(super) fn far(&self, place: usize) -> Ipv4Addr {
        self.address(place * 4 + 1)
    }

    fn address(&self, at: usize) -> Ipv4Addr {
        let [high, low] = self.number.to_be_bytes();
        // Five regions, the witness and the test are seven places, far below the end.
        Ipv4Addr::new(198, 18 + high, low, u8::try_from(at).unwrap_or(u8::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_their_addresses_differ() {
        let (one, other) = (Block::take().unwrap(), Block::take().unwrap());
        assert_ne!((one.range(), one.cable()), (other.range(), other.cable()));
        assert_ne!(one.near(0), one.far(0));
        assert_ne!(one.near(0), one.near(1));
        let last = Block { number: 511, _held: tempfile::tempfile().unwrap() };
        assert_eq!(
            (last.near(6).to_string(), last.range()),
            ("198.19.255.26".to_owned(), "198.19.255.0/24".to_owned())
        );
    }
}
