//! Waiting for what a region or a producer shows, with a deadline that names it.

use std::time::Duration;

use dcp_core::Error;

use super::Stage;
use crate::orders::Home;
use crate::producer::Progress;
use crate::region::RegionStatus;

const POLL: Duration = Duration::from_millis(10);
// Nothing in the story takes longer on the slowest machine that it was tried on.
const PATIENCE: Duration = Duration::from_secs(300);

impl Stage {
    /// Waits until a region's status is as wanted.
    pub(super) async fn until_status(
        &self,
        home: Home,
        what: &str,
        wanted: impl Fn(&RegionStatus) -> bool,
    ) -> Result<RegionStatus, Error> {
        let deadline = self.clock.now().after(PATIENCE);
        while self.clock.now() < deadline {
            let (_, control) = self.group.region(home)?;
            if let Ok(status) = control.status().await
                && wanted(&status)
            {
                return Ok(status);
            }
            self.clock.sleep(POLL).await;
        }
        Err(Error::stopped("story-stuck", format!("{}: {what} has not shown in {PATIENCE:?}", home.region())))
    }

    /// Waits until a producer's progress is as wanted.
    pub(super) async fn until_progress(
        &self,
        home: Home,
        what: &str,
        wanted: impl Fn(&Progress) -> bool,
    ) -> Result<Progress, Error> {
        let deadline = self.clock.now().after(PATIENCE);
        while self.clock.now() < deadline {
            let progress = self.group.producer(home)?.progress();
            self.printer.acknowledged(home, progress.acknowledged);
            if wanted(&progress) {
                return Ok(progress);
            }
            self.clock.sleep(POLL).await;
        }
        Err(Error::stopped(
            "story-stuck",
            format!("producer of {}: {what} has not shown in {PATIENCE:?}", home.region()),
        ))
    }

    /// Lets both producers go on to a record and waits until both are there.
    pub(super) async fn produce_to(&self, record: u64) -> Result<(), Error> {
        self.group.hold(record).await?;
        for home in Home::ALL {
            self.until_progress(home, &format!("record {record}"), |progress| self.is_at(home, progress, record))
                .await?;
        }
        Ok(())
    }

    /// Whether a producer has all of its own lines up to a record acknowledged.
    pub(super) fn is_at(&self, home: Home, progress: &Progress, record: u64) -> bool {
        progress.own_lines > 0 && progress.acknowledged >= self.own_lines_to(home, record)
    }

    /// Lines at home in a region among the first records.
    pub(super) fn own_lines_to(&self, home: Home, record: u64) -> u64 {
        self.printer.own_lines_to(home, record)
    }
}
