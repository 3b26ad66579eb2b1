//! A driver of the toy plan over a fixture's store, and how it is crashed.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::JournalFixture;
use super::crash::{CrashAt, CrashingStore, Moment};
use super::toy::{ToyWorld, toy_plan};
use crate::clock::{SeededEntropy, TokioClock};
use crate::error::Error;
use crate::fence::Term;
use crate::ids::{HolderId, KeyId, RegionId, RunId};
use crate::ports::StateStore;
use crate::runbook::{Driver, DriverParts, ExportLine, Journal, RunEnd};
use crate::signed::{KeySet, Role, Signer};
use crate::testing::Violation;

/// The key that signs a journal under test.
///
/// # Errors
/// Never: the name is legal.
pub fn signer() -> Result<Arc<Signer>, Error> {
    Ok(Arc::new(Signer::new(KeyId::new("journal-test")?, &[7; 32])))
}

/// The key set that verifies it.
///
/// # Errors
/// Never: one key of one.
pub fn keys() -> Result<KeySet, Error> {
    let signer = signer()?;
    KeySet::new("journal-test", Role::Local, 1, BTreeMap::from([(signer.id().clone(), signer.public())]))
}

/// A term of the region under test.
///
/// # Errors
/// Never: the names are legal.
pub fn term(revision: u64) -> Result<Term, Error> {
    Ok(Term { issuer: RegionId::new("c")?, holder: HolderId::new(format!("plane-{revision}"))?, revision })
}

/// A fixture, a world that outlives crashes, and one run of the toy plan.
#[derive(Debug)]
pub struct Rig<Fx> {
    /// The fixture.
    pub fixture: Fx,
    /// The world that the steps act on.
    pub world: Arc<ToyWorld>,
    /// The run.
    pub run: RunId,
    slots: u8,
    revision: u64,
}

impl<Fx: JournalFixture> Rig<Fx> {
    /// A fresh store, an empty world, and a plan of this many steps.
    ///
    /// # Errors
    /// A violation if the fixture's store cannot be used.
    pub async fn start(slots: u8) -> Result<Self, Violation> {
        let run = RunId::new("toy-run")?;
        Ok(Self { fixture: Fx::start().await, world: ToyWorld::new(), run, slots, revision: 0 })
    }

    /// The next term's driver, over a store, with failpoints.
    ///
    /// # Errors
    /// A violation if the journal does not open or the lease cannot be taken.
    pub async fn driver_over(
        &mut self,
        store: Arc<dyn StateStore>,
        failpoints: Arc<CrashAt>,
    ) -> Result<Driver, Violation> {
        self.revision += 1;
        let clock = Arc::new(TokioClock::new());
        let entropy = Arc::new(SeededEntropy::new(self.revision, "nonces"));
        let parts = DriverParts { clock: clock.clone(), entropy, failpoints, signer: signer()? };
        let journal = Arc::new(Journal::open(store, clock).await?);
        Ok(Driver::take(journal, term(self.revision)?, parts).await?.with_rules(self.fixture.rules()))
    }

    /// The next term's driver over the fixture's store.
    ///
    /// # Errors
    /// As [`Rig::driver_over`].
    pub async fn driver(&mut self) -> Result<Driver, Violation> {
        self.driver_over(self.fixture.store(), CrashAt::nowhere()).await
    }

    /// Opens the run and drives it.
    ///
    /// # Errors
    /// A violation if either answers an error.
    pub async fn drive(&self, driver: &Driver) -> Result<RunEnd, Violation> {
        driver.open_run(&self.run, &toy_plan(self.slots)?).await?;
        let catalog = self.fixture.catalog(&self.world);
        Ok(driver.drive(&self.run, &*catalog, &CancellationToken::new()).await?)
    }

    /// A fresh driver drives the run to its end.
    ///
    /// # Errors
    /// As [`Rig::drive`].
    pub async fn resume(&mut self) -> Result<RunEnd, Violation> {
        let driver = self.driver().await?;
        self.drive(&driver).await
    }

    /// Drives until a point of a step, and crashes there; the journal as it was just before.
    ///
    /// # Errors
    /// A violation if the run ends before that.
    pub async fn crash_at(&mut self, point: &'static str, step: &str) -> Result<Vec<ExportLine>, Violation> {
        let crash = CrashAt::new(point, step);
        let driver = self.driver_over(self.fixture.store(), Arc::clone(&crash)).await?;
        let ended = tokio::select! {
            biased;
            () = crash.reached() => None,
            ended = self.drive(&driver) => Some(ended?),
        };
        if let Some(ended) = ended {
            return Err(Violation(format!("the run ended as {ended:?} before {point} of {step}")));
        }
        let before = driver.journal().export().await?;
        drop(driver);
        self.fixture.crash().await;
        Ok(before)
    }

    /// Drives, and crashes at the commit after `commits` others; the end of the run if it has one
    /// before that.
    ///
    /// # Errors
    /// A violation if the driver answers an error.
    pub async fn crash_commit(&mut self, commits: usize, moment: Moment) -> Result<Option<RunEnd>, Violation> {
        let store = CrashingStore::new(self.fixture.store(), commits, moment);
        let drive = async {
            let driver = self.driver_over(store.clone(), CrashAt::nowhere()).await?;
            self.drive(&driver).await
        };
        let ended = tokio::select! {
            biased;
            () = store.reached() => None,
            ended = drive => Some(ended?),
        };
        drop(store);
        self.fixture.crash().await;
        Ok(ended)
    }

    /// The journal as the store holds it.
    ///
    /// # Errors
    /// A violation if it does not verify.
    pub async fn export(&self) -> Result<Vec<ExportLine>, Violation> {
        Ok(self.journal().await?.export().await?)
    }

    /// The journal, opened anew.
    ///
    /// # Errors
    /// A violation if it does not verify.
    pub async fn journal(&self) -> Result<Journal, Violation> {
        Ok(Journal::open(self.fixture.store(), Arc::new(TokioClock::new())).await?)
    }
}
