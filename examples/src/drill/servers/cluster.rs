//! One region's server, by the testbed.

use std::fmt;
use std::path::Path;

use dcp_core::Error;
use testbed::catalog::{Recipe, recipe};
use testbed::{Bed, Kept, NAMESPACES, Server, TEST, Wanted};

use super::Border;
use crate::drill::progress::Say;
use crate::event_store::{EventsAt, StoreKind};

/// The only region of a testbed that has one.
const PLACE: &str = "a";
/// Across its border: in, and out.
const WAYS: [(&str, &str); 2] = [(TEST, PLACE), (PLACE, TEST)];

/// A cluster that is open, whether it runs or not.
#[derive(Debug)]
pub(super) struct Cluster {
    kind: StoreKind,
    bed: Bed,
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name(), recipe(self.kind.name()).map_or("", |recipe| recipe.version))
    }
}

fn known(kind: StoreKind) -> Result<&'static Recipe, Error> {
    recipe(kind.name()).ok_or_else(|| Error::invalid("no-recipe", format!("the testbed has no {}", kind.name())))
}

pub(super) fn check_network() -> Result<(), Error> {
    testbed::lacking(NAMESPACES).map_or(Ok(()), |missing| Err(of(&missing)))
}

pub(super) fn check(kind: StoreKind, out: &Path) -> Result<(), Error> {
    let unseen = |cause| Error::stopped("unwritable-folder", format!("{}: {cause}", out.display()));
    let place = out.canonicalize().map_err(unseen)?;
    testbed::can_keep(known(kind)?, &place).map_err(|error| of(&error))
}

pub(super) fn obtain(kind: StoreKind, say: &Say) -> Result<(), Error> {
    let of_kind = known(kind)?;
    if let Some(missing) = testbed::missing(of_kind) {
        return Err(of(&missing));
    }
    testbed::obtain(of_kind, &|line| say.line(line)).map(|_| ()).map_err(|error| of(&error))
}

impl Cluster {
    /// Starts it, on the data in the folder if there are some.
    pub(super) fn open(kind: StoreKind, folder: &Path, apart: bool, say: &Say) -> Result<Self, Error> {
        // Who waits is told by the drill, with the time that it took.
        let tell = |line: &str| {
            if !line.ends_with(" serves") {
                say.line(line)
            }
        };
        let one = Wanted::one(kind.name());
        let wanted = if apart { one.with_namespaces() } else { one };
        let bed = Bed::open(folder, &wanted, &tell).map_err(|error| of(&error))?;
        Ok(Self { kind, bed })
    }

    pub(super) fn start(&self) -> Result<(), Error> {
        self.each(Server::start)
    }

    pub(super) fn kill(&self) -> Result<(), Error> {
        self.each(Server::kill)
    }

    pub(super) fn pause(&self) -> Result<(), Error> {
        self.each(Server::pause)
    }

    pub(super) fn wake(&self) -> Result<(), Error> {
        self.each(Server::resume)
    }

    pub(super) fn stop(&self) -> Result<(), Error> {
        self.each(Server::stop)
    }

    fn each(&self, act: impl Fn(&Server) -> Result<(), testbed::Error>) -> Result<(), Error> {
        self.bed.servers().iter().try_for_each(|server| act(server)).map_err(|error| of(&error))
    }

    /// Where its network namespace meets the rest.
    pub(super) fn border(&self) -> Result<Border, Error> {
        let network = self.bed.network().map_err(|error| of(&error))?;
        let command = network.enter(PLACE).map_err(|error| of(&error))?;
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        Ok(Border {
            enter: words.map(|word| word.to_string_lossy().into_owned()).collect(),
            inside: network.address(PLACE).map_err(|error| of(&error))?,
            outside: network.address(TEST).map_err(|error| of(&error))?,
        })
    }

    pub(super) fn cut_off(&self) -> Result<(), Error> {
        let network = self.bed.network().map_err(|error| of(&error))?;
        WAYS.into_iter().try_for_each(|(from, to)| network.cut(from, to, None)).map_err(|error| of(&error))
    }

    /// How many packets were dropped, in and out.
    pub(super) fn reconnect(&self) -> Result<(u64, u64), Error> {
        let network = self.bed.network().map_err(|error| of(&error))?;
        let [inward, outward] = WAYS.map(|(from, to)| network.heal(from, to, None).map_err(|error| of(&error)));
        Ok((inward?, outward?))
    }

    /// Which of its servers does not run; none while all do.
    pub(super) fn ended(&self) -> Option<String> {
        let ended = self.bed.servers().iter().find(|server| server.pid().is_none());
        ended.map(|server| format!("see {}", server.log().display()))
    }

    /// Where the region finds its events.
    pub(super) fn events(&self) -> Result<EventsAt, Error> {
        let at = |port| {
            let all = self.bed.servers().iter().map(|server| server.address(port).map(|address| address.to_string()));
            all.collect::<Result<Vec<_>, _>>().map(|all| all.join(",")).map_err(|error| of(&error))
        };
        Ok(match self.kind {
            StoreKind::Embedded => EventsAt::Folder,
            StoreKind::Postgres => EventsAt::Postgres(format!("postgres://postgres@{}/postgres", at("sql")?)),
            StoreKind::Kafka => EventsAt::Kafka(at("plain")?),
        })
    }
}

fn of(error: &testbed::Error) -> Error {
    let said = error.to_string();
    match error {
        testbed::Error::Missing { .. } => Error::invalid("tool-missing", said),
        testbed::Error::Place { .. } => Error::invalid("bad-folder", said),
        testbed::Error::Kept { why: Kept::InUse, .. } => Error::refused("in-use", said),
        testbed::Error::Kept { .. } => Error::refused("other-servers", said),
        testbed::Error::NotReady { .. } => Error::stopped("server-not-ready", said),
        _ => Error::stopped("server", said),
    }
}
