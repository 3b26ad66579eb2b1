//! A network of the testbed's own: a namespace for each region, one for the witness, and one between them in
//! which packets are dropped by nftables, one direction and one port at a time.
//!
//! ```text
//! test ──┐            No namespace has a name. Each lives as long as the process that holds it, which has a
//! a ─────┼─ between   supervisor like any server and dies with the owner; with it go the cables and the rules.
//! witness┘            So nothing is left behind, also after `kill -9` of the owner.
//! ```

mod block;
mod cuts;
mod space;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::Error;
use block::Block;
use cuts::Cuts;
use space::Space;

/// The place of the process that holds the testbed, and of all that is started in no namespace.
pub const TEST: &str = "test";

/// Runs a line of the shell on one side of a cable.
type Runs<'a> = &'a dyn Fn(&str) -> Result<(), Error>;

/// Namespaces and the cables between them. Letting go of it takes all of it away.
#[derive(Debug)]
pub struct Network {
    block: Block,
    /// Every place and its address; [`TEST`] is the first.
    places: Vec<String>,
    between: Space,
    spaces: BTreeMap<String, Space>,
    /// Ports of each place by name.
    ports: Mutex<BTreeMap<String, BTreeMap<String, Vec<u16>>>>,
    cuts: Mutex<Cuts>,
}

impl Network {
    /// Makes a namespace for each of these places.
    pub(crate) fn make(places: &[String], log: &std::path::Path) -> Result<Self, Error> {
        let block = Block::take()?;
        let between = Space::start("between", log)?;
        between.run("ip link set lo up")?;
        between.run("echo 1 > /proc/sys/net/ipv4/ip_forward")?;
        between.run(cuts::TABLE)?;
        let mut spaces = BTreeMap::new();
        for place in places {
            let space = Space::start(place, log)?;
            space.run("ip link set lo up")?;
            spaces.insert(place.clone(), space);
        }
        let places = std::iter::once(TEST.to_owned()).chain(places.iter().cloned()).collect();
        let cuts = Mutex::default();
        let network = Self { block, places, between, spaces, ports: Mutex::default(), cuts };
        network.lay_cables()?;
        Ok(network)
    }

    // The test's end of its cable is the only thing that shows outside of the namespaces.
    fn lay_cables(&self) -> Result<(), Error> {
        let (outside, between) = (self.block.cable(), self.between.pid());
        // Whoever held this block before is gone, and what it has left is going.
        let _none = space::run_here(&format!("ip link delete {outside}"));
        for (at, place) in self.places.iter().enumerate() {
            let (near, far, inner) = (self.block.near(at), self.block.far(at), format!("to-{at}"));
            let (run, device): (Runs<'_>, &str) = match self.spaces.get(place) {
                Some(space) => (&|script| space.run(script), "eth0"),
                None => (&space::run_here, outside.as_str()),
            };
            run(&format!("ip link add {device} type veth peer name {inner} netns {between}"))?;
            self.between.run(&format!("ip address add {far}/30 dev {inner} && ip link set {inner} up"))?;
            run(&format!("ip address add {near}/30 dev {device} && ip link set {device} up"))?;
            run(&format!("ip route add {} via {far}", self.block.range()))?;
        }
        Ok(())
    }

    /// Where the servers of a place listen, and what clients there come from.
    ///
    /// # Errors
    /// [`Error::Unknown`] names the places that there are.
    pub fn address(&self, place: &str) -> Result<IpAddr, Error> {
        Ok(self.near(place)?.into())
    }

    /// All addresses of this network, as `198.18.0.0/24`.
    #[must_use]
    pub fn range(&self) -> String {
        self.block.range()
    }

    /// A command that runs what is added to it, a program and its arguments, inside the namespace of a place.
    ///
    /// # Errors
    /// [`Error::Unknown`] if that place has none.
    pub fn enter(&self, place: &str) -> Result<Command, Error> {
        let words = self.entering(place)?;
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        Ok(command)
    }

    pub(crate) fn entering(&self, place: &str) -> Result<Vec<String>, Error> {
        Ok(self.spaces.get(place).ok_or_else(|| self.unknown(place))?.entering())
    }

    /// Drops every packet that is sent from one place to the other, or only those to one port of it. The other
    /// direction stays open: a request arrives and its answer does not. Places are the regions, `witness` and
    /// [`TEST`].
    ///
    /// # Errors
    /// [`Error::Unknown`] if there is no such place or port, or it is cut already.
    pub fn cut(&self, from: &str, to: &str, port: Option<&str>) -> Result<(), Error> {
        let rule = self.rule(from, to, port)?;
        // Held until the rules are as they are noted.
        let mut cuts = self.cuts();
        let mut after = cuts.clone();
        let script = after.cut(cuts::name(from, to, port), rule)?;
        self.between.run(&script)?;
        *cuts = after;
        Ok(())
    }

    /// Lets packets through again; answers how many were dropped. None means that the cut hit nothing.
    ///
    /// # Errors
    /// [`Error::Unknown`] if it is not cut.
    pub fn heal(&self, from: &str, to: &str, port: Option<&str>) -> Result<u64, Error> {
        let mut cuts = self.cuts();
        let mut after = cuts.clone();
        let name = cuts::name(from, to, port);
        let question = cuts.question(&name)?;
        let script = after.heal(&name)?;
        let dropped = self.count(&question)?;
        self.between.run(&script)?;
        *cuts = after;
        Ok(dropped)
    }

    /// How many packets a cut has dropped so far.
    ///
    /// # Errors
    /// [`Error::Unknown`] if it is not cut.
    pub fn dropped(&self, from: &str, to: &str, port: Option<&str>) -> Result<u64, Error> {
        let question = self.cuts().question(&cuts::name(from, to, port))?;
        self.count(&question)
    }

    fn count(&self, question: &str) -> Result<u64, Error> {
        let answer = self.between.answer(question)?;
        cuts::packets(&answer).ok_or_else(|| Error::io(question)(std::io::Error::other(answer)))
    }

    fn rule(&self, from: &str, to: &str, port: Option<&str>) -> Result<String, Error> {
        let way = format!("ip saddr {} ip daddr {}", self.near(from)?, self.near(to)?);
        let Some(port) = port else { return Ok(way) };
        let ports = self.ports();
        let of_place = ports.get(to).cloned().unwrap_or_default();
        let known = || of_place.keys().cloned().collect::<Vec<_>>().join(", ");
        let unknown = || Error::Unknown { what: format!("port {port} of {to}"), known: known() };
        let numbers: Vec<_> = of_place.get(port).ok_or_else(unknown)?.iter().map(u16::to_string).collect();
        Ok(format!("{way} tcp dport {{ {} }}", numbers.join(", ")))
    }

    /// A server listens there.
    pub(crate) fn listens(&self, place: &str, port: &str, number: u16) {
        self.ports().entry(place.to_owned()).or_default().entry(port.to_owned()).or_default().push(number);
    }

    fn near(&self, place: &str) -> Result<Ipv4Addr, Error> {
        let at = self.places.iter().position(|known| known == place).ok_or_else(|| self.unknown(place))?;
        Ok(self.block.near(at))
    }

    fn unknown(&self, place: &str) -> Error {
        Error::Unknown { what: format!("namespace {place}"), known: self.places.join(", ") }
    }

    fn ports(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<String, Vec<u16>>>> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cuts(&self) -> MutexGuard<'_, Cuts> {
        self.cuts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
