//! In the place of servers where the program was built without them: there is none.

use std::convert::Infallible;
use std::fmt;
use std::path::Path;

use dcp_core::Error;

use super::Border;
use crate::drill::progress::Say;
use crate::event_store::{EventsAt, StoreKind};

/// No cluster.
#[derive(Debug)]
pub(super) struct Cluster(Infallible);

impl fmt::Display for Cluster {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}

pub(super) fn obtain(kind: StoreKind, _: &Say) -> Result<(), Error> {
    Err(not_built(kind))
}

// Whoever gets here was told already that nothing of it is built.
pub(super) fn check_network() -> Result<(), Error> {
    Ok(())
}

pub(super) fn check(kind: StoreKind, _: &Path) -> Result<(), Error> {
    Err(not_built(kind))
}

fn not_built(kind: StoreKind) -> Error {
    Error::invalid("not-built", format!("{}: built without the feature `servers` of `examples`", kind.name()))
}

impl Cluster {
    pub(super) fn open(kind: StoreKind, _: &Path, _: bool, _: &Say) -> Result<Self, Error> {
        Err(not_built(kind))
    }

    pub(super) fn start(&self) -> Result<(), Error> {
        match self.0 {}
    }

    pub(super) fn kill(&self) -> Result<(), Error> {
        match self.0 {}
    }

    pub(super) fn pause(&self) -> Result<(), Error> {
        match self.0 {}
    }

    pub(super) fn wake(&self) -> Result<(), Error> {
        match self.0 {}
    }

    pub(super) fn stop(&self) -> Result<(), Error> {
        match self.0 {}
    }

    pub(super) fn border(&self) -> Result<Border, Error> {
        match self.0 {}
    }

    pub(super) fn cut_off(&self) -> Result<(), Error> {
        match self.0 {}
    }

    pub(super) fn reconnect(&self) -> Result<(u64, u64), Error> {
        match self.0 {}
    }

    pub(super) fn ended(&self) -> Option<String> {
        match self.0 {}
    }

    pub(super) fn events(&self) -> Result<EventsAt, Error> {
        match self.0 {}
    }
}
