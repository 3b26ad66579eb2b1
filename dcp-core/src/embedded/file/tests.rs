use std::sync::{Arc, Mutex};

use super::*;

/// Storage that forgets nothing, and fails the sync after which the engine would write its mark.
#[derive(Debug, Clone, Default)]
struct Unsynced(Arc<Mutex<Vec<u8>>>);

impl redb::StorageBackend for Unsynced {
    fn len(&self) -> Result<u64, std::io::Error> {
        Ok(self.0.lock().unwrap().len() as u64)
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), std::io::Error> {
        let from = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.0.lock().unwrap()[from..from + out.len()]);
        Ok(())
    }
    fn set_len(&self, len: u64) -> Result<(), std::io::Error> {
        self.0.lock().unwrap().resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }
    fn sync_data(&self) -> Result<(), std::io::Error> {
        Err(std::io::Error::other("no sync"))
    }
    fn write(&self, offset: u64, data: &[u8]) -> Result<(), std::io::Error> {
        let from = usize::try_from(offset).unwrap();
        self.0.lock().unwrap()[from..from + data.len()].copy_from_slice(data);
        Ok(())
    }
}

#[test]
fn what_the_engine_writes_before_its_mark_is_unfinished() {
    let storage = Unsynced::default();
    assert!(Builder::new().create_with_backend(storage.clone()).is_err());
    let held = storage.0.lock().unwrap().clone();
    assert!(held.iter().any(|byte| *byte != 0), "nothing was written before the sync");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    fs::write(&path, &held).unwrap();
    assert!(is_unfinished(&path), "{} bytes", held.len());
}
