//! A disk in memory that loses power and runs full, under the embedded stores.

use std::collections::BTreeSet;
use std::io::{Error, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::{Entropy as _, SeededEntropy};

const BLOCK: u64 = 4_096;
/// What a disk writes as a whole, also when its power fails.
const SECTOR: usize = 512;

/// A disk with one file. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct TestDisk(Arc<Mutex<Image>>);

#[derive(Debug, Default)]
struct Image {
    /// What survives a power failure for certain.
    synced: Vec<u8>,
    /// What a reader sees.
    current: Vec<u8>,
    /// What was done since the last sync, in order.
    unsynced: Vec<Change>,
    /// Blocks that were written.
    blocks: BTreeSet<u64>,
    max_blocks: Option<usize>,
    /// Syncs that succeed before all fail.
    syncs_left: Option<u64>,
    syncs_lie: bool,
    syncs: u64,
    mounts: u64,
}

#[derive(Debug)]
enum Change {
    Length(usize),
    Bytes(usize, Vec<u8>),
}

impl TestDisk {
    /// An empty disk without a bound.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn image(&self) -> MutexGuard<'_, Image> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file, for one store; an earlier mount fails from now on.
    #[must_use]
    pub fn mount(&self) -> Mount {
        let mut image = self.image();
        image.mounts += 1;
        Mount { disk: self.clone(), number: image.mounts }
    }

    /// Cuts the power: of the changes since the last sync a seeded choice of sectors is kept, in
    /// whatever order; the mount that did them fails from now on.
    pub fn cut_power(&self, seed: u64) {
        let coins = SeededEntropy::new(seed, "power failure");
        let mut image = self.image();
        image.mounts += 1;
        let mut left = std::mem::take(&mut image.synced);
        if image.syncs_lie {
            image.unsynced.clear();
        }
        for change in std::mem::take(&mut image.unsynced) {
            match change {
                Change::Length(length) if coins.draw()[0].is_multiple_of(2) => left.resize(length, 0),
                Change::Length(_) => {}
                Change::Bytes(at, bytes) => keep_some(&mut left, at, &bytes, &coins),
            }
        }
        image.current.clone_from(&left);
        image.synced = left;
    }

    /// From now on only so many bytes may be in use (whole blocks of 4 KB that were ever written);
    /// none: no bound.
    pub fn limit(&self, bytes: Option<u64>) {
        self.image().max_blocks = bytes.map(|bytes| usize::try_from(bytes / BLOCK).unwrap_or(usize::MAX));
    }

    /// Bytes in use.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.image().blocks.len() as u64 * BLOCK
    }

    /// After so many more syncs they fail; none: they succeed.
    pub fn fail_syncs_after(&self, syncs: Option<u64>) {
        self.image().syncs_left = syncs;
    }

    /// From now on syncs succeed and do nothing, and a power failure loses all since then: the defect
    /// of a disk with a volatile cache.
    pub fn lie_about_syncs(&self) {
        self.image().syncs_lie = true;
    }

    /// How many syncs succeeded.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.image().syncs
    }
}

fn keep_some(left: &mut [u8], at: usize, bytes: &[u8], coins: &SeededEntropy) {
    let fate = coins.draw()[0] % 3;
    for (number, sector) in bytes.chunks(SECTOR).enumerate() {
        let from = at + number * SECTOR;
        let kept = match fate {
            0 => false,
            1 => true,
            _ => coins.draw()[0].is_multiple_of(2),
        };
        if let Some(place) = left.get_mut(from..from + sector.len())
            && kept
        {
            place.copy_from_slice(sector);
        }
    }
}

/// One opening of a [`TestDisk`]'s file.
#[derive(Debug)]
pub struct Mount {
    disk: TestDisk,
    number: u64,
}

impl Mount {
    fn image(&self) -> Result<MutexGuard<'_, Image>, Error> {
        let image = self.disk.image();
        if image.mounts == self.number { Ok(image) } else { Err(Error::other("the disk's power failed")) }
    }
}

fn place(number: u64) -> Result<usize, Error> {
    usize::try_from(number).map_err(Error::other)
}

impl redb::StorageBackend for Mount {
    fn len(&self) -> Result<u64, Error> {
        Ok(self.image()?.current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        let (image, from) = (self.image()?, place(offset)?);
        let there = image.current.get(from..from + out.len()).ok_or_else(|| Error::from(ErrorKind::UnexpectedEof))?;
        out.copy_from_slice(there);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), Error> {
        let (mut image, length) = (self.image()?, place(len)?);
        image.current.resize(length, 0);
        image.unsynced.push(Change::Length(length));
        Ok(())
    }

    fn sync_data(&self) -> Result<(), Error> {
        let mut image = self.image()?;
        match &mut image.syncs_left {
            Some(0) => return Err(Error::other("the disk does not answer")),
            Some(left) => *left -= 1,
            None => {}
        }
        if image.syncs_lie {
            return Ok(());
        }
        for change in std::mem::take(&mut image.unsynced) {
            match change {
                Change::Length(length) => image.synced.resize(length, 0),
                Change::Bytes(at, bytes) => image.synced[at..at + bytes.len()].copy_from_slice(&bytes),
            }
        }
        image.syncs += 1;
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        let (mut image, from) = (self.image()?, place(offset)?);
        let touched = offset / BLOCK..=(offset + data.len() as u64).saturating_sub(1) / BLOCK;
        let added = touched.clone().filter(|block| !image.blocks.contains(block)).count();
        if image.max_blocks.is_some_and(|most| image.blocks.len() + added > most) {
            return Err(Error::from(ErrorKind::StorageFull));
        }
        image.blocks.extend(touched);
        let room = image.current.get_mut(from..from + data.len());
        room.ok_or_else(|| Error::from(ErrorKind::UnexpectedEof))?.copy_from_slice(data);
        image.unsynced.push(Change::Bytes(from, data.to_vec()));
        Ok(())
    }
}
