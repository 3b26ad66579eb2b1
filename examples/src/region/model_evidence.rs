//! What a process finds in its read models at its start, and leaves at its planned end: evidence for a
//! drill, which folds the store afresh as far and compares.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dcp_core::Error;
use dcp_core::ports::{ReplayControl as _, ReplayStatus};
use dcp_replay::{Projector, StateModelStore};
use serde::{Deserialize, Serialize};

use crate::foundation::{read_json, write_json};
use crate::orders::{ReadModels, read_models};

/// When the read models were looked at; nothing was applied meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum When {
    /// Before the process applied anything.
    Start,
    /// After it had stopped applying, as planned.
    Stop,
}

/// The read models of one process at one moment.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct ModelsFound {
    /// Which life of the region's process this is, from 1.
    pub life: u64,
    /// At which end of it.
    pub when: When,
    /// How far each projection had come, and what was dirty.
    pub replay: ReplayStatus,
    /// What the models held.
    pub models: ReadModels,
}

/// Where a region notes them: one file a moment, in its own folder.
#[derive(Debug, Clone)]
pub struct ModelEvidence(PathBuf);

impl ModelEvidence {
    /// In a region's folder.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self(folder.join("models-found"))
    }

    /// Notes what the models hold now, durably. Nothing may be applied meanwhile.
    ///
    /// # Errors
    /// What the model store answers; `Stopped` if the file cannot be written.
    pub async fn note(
        &self,
        projector: &Projector,
        models: &Arc<StateModelStore>,
        life: u64,
        when: When,
    ) -> Result<(), Error> {
        let replay = projector.status().await?;
        let models = read_models(Arc::clone(models) as _).await?;
        self.write(&ModelsFound { life, when, replay, models })
    }

    fn write(&self, found: &ModelsFound) -> Result<(), Error> {
        let end = if found.when == When::Start { "start" } else { "stop" };
        write_json(&self.0.join(format!("{:06}.{end}.json", found.life)), found)
    }

    /// All that were noted, in the order of time.
    ///
    /// # Errors
    /// `Invalid` with the path of what cannot be read.
    pub fn read(&self) -> Result<Vec<ModelsFound>, Error> {
        let unreadable =
            |cause: std::io::Error| Error::invalid("unreadable-file", format!("{}: {cause}", self.0.display()));
        if !self.0.exists() {
            return Ok(Vec::new());
        }
        let mut found: Vec<ModelsFound> = Vec::new();
        for entry in std::fs::read_dir(&self.0).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            // What a kill left beside its name was never noted.
            if path.extension().is_some_and(|extension| extension == "json") {
                found.push(read_json(&path)?);
            }
        }
        found.sort_by_key(|found| (found.life, found.when));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::expected;

    #[test]
    fn what_was_noted_is_read_in_the_order_of_time() {
        let folder = tempfile::tempdir().unwrap();
        let evidence = ModelEvidence::in_folder(folder.path());
        assert!(evidence.read().unwrap().is_empty());
        let models = expected(std::iter::empty()).unwrap();
        for (life, when) in [(10, When::Start), (2, When::Stop), (2, When::Start)] {
            evidence.write(&ModelsFound { life, when, replay: ReplayStatus::new(), models: models.clone() }).unwrap();
        }
        std::fs::write(folder.path().join("models-found").join("000010.stop.tmp"), "{").unwrap();
        let read: Vec<_> = evidence.read().unwrap().iter().map(|found| (found.life, found.when)).collect();
        assert_eq!(read, [(2, When::Start), (2, When::Stop), (10, When::Start)]);
    }
}
