//! Which servers stand where. Pure.

use std::collections::BTreeSet;

use crate::catalog::{CATALOG, Recipe, recipe};
use crate::error::Error;
use crate::network::TEST;

/// The servers of a region are named after it by a letter.
const REGIONS_MAX: u8 = 5;
const WITNESSES: u32 = 3;
const WITNESS: &str = "witness";

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Names of recipes; empty means all.
    pub only: Vec<String>,
    /// Regions, 1 to 5: `a`, `b`, ...
    pub regions: u8,
    /// What the regions are called instead: as many names as regions, of lower-case letters, digits and dashes;
    /// none: by letters.
    pub names: Vec<String>,
    /// Each region, and the witness, in a network namespace of its own. It needs root, `ip` and `nft`.
    pub namespaces: bool,
    /// Each server's data on a disk of its own of so many bytes, in memory; none: on the machine's. It needs
    /// root. Postgres takes 128 MiB to begin with.
    pub disk_bytes: Option<u64>,
    /// Kafka brokers in the first region, 1 or more; the other regions have one. [`Wanted::brokers`] asks for them.
    pub brokers: u32,
    /// Three more etcd members, one cluster that belongs to no region. Only if etcd is wanted.
    pub witness: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            only: Vec::new(),
            regions: 2,
            names: Vec::new(),
            namespaces: false,
            disk_bytes: None,
            brokers: 1,
            witness: true,
        }
    }
}

impl Wanted {
    /// One server of one kind, in region `a`.
    #[must_use]
    pub fn one(recipe: &str) -> Self {
        Self { only: vec![recipe.to_owned()], regions: 1, witness: false, ..Self::default() }
    }

    /// One Kafka cluster of so many brokers, `kafka-a`, `kafka-a-2`, ...: with two a topic can have two
    /// copies, and a leader can move.
    ///
    /// `kafka-a` is also the only controller: kill `kafka-a-2` to see its partitions led by `kafka-a`. While
    /// `kafka-a` is dead no leader moves, and `kafka-a-2` serves what it leads. What the brokers keep of
    /// groups and transactions has as many copies as there are brokers, three at most.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), testbed::Error> {
    /// let bed = testbed::Bed::start(&testbed::Wanted::brokers(2), &|line| eprintln!("{line}"))?;
    /// bed.server("kafka-a-2")?.kill()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn brokers(count: u32) -> Self {
        Self { brokers: count, ..Self::one("kafka") }
    }

    /// The same in regions of these names: `postgres-west`, `postgres-central`.
    #[must_use]
    pub fn in_regions(self, names: &[&str]) -> Self {
        let regions = u8::try_from(names.len()).unwrap_or(u8::MAX);
        Self { regions, names: names.iter().map(ToString::to_string).collect(), ..self }
    }

    /// The same in network namespaces, so that [`crate::Bed::network`] can cut one direction and one port. It
    /// needs root, `ip` and `nft`; a [`crate::harness::Case`] says so by needing [`crate::NAMESPACES`].
    #[must_use]
    pub fn with_namespaces(self) -> Self {
        Self { namespaces: true, ..self }
    }

    /// The same with each server's data on a small disk of its own, so that [`crate::Server::fill_disk`] can fill
    /// it. It needs root; a [`crate::harness::Case`] says so by needing [`crate::SMALL_DISKS`].
    #[must_use]
    pub fn with_disks_of(self, bytes: u64) -> Self {
        Self { disk_bytes: Some(bytes), ..self }
    }

    /// The names of the servers that are wanted, in the order in which they are shown.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a server that nobody knows, or if none is left.
    pub fn servers(&self) -> Result<Vec<String>, Error> {
        Ok(groups(self)?.into_iter().flat_map(|group| group.members).collect())
    }

    /// Only the three members of the witness.
    #[must_use]
    pub fn witness() -> Self {
        Self { only: vec!["etcd".to_owned()], regions: 0, ..Self::default() }
    }
}

/// Servers of one kind that know each other.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) recipe: &'static Recipe,
    pub(crate) region: Option<String>,
    pub(crate) members: Vec<String>,
}

impl Group {
    /// Where it stands in the network: in its region, or where the witness is.
    pub(crate) fn place(&self) -> &str {
        self.region.as_deref().unwrap_or(WITNESS)
    }
}

/// All groups, in the order in which they are shown.
pub(crate) fn groups(wanted: &Wanted) -> Result<Vec<Group>, Error> {
    if let Some(unknown) = wanted.only.iter().find(|name| recipe(name).is_none()) {
        let known: Vec<_> = CATALOG.iter().map(|recipe| recipe.name).collect();
        return Err(Error::Unknown { what: format!("server {unknown}"), known: known.join(", ") });
    }
    if wanted.regions > REGIONS_MAX || wanted.brokers == 0 {
        let known = format!("up to {REGIONS_MAX} regions, each with one broker or more");
        return Err(Error::Unknown { what: "such layout".to_owned(), known });
    }
    let good = |name: &String| {
        let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !name.is_empty() && name.bytes().all(letters) && name != WITNESS && name != TEST
    };
    let as_many = wanted.names.is_empty() || wanted.names.len() == usize::from(wanted.regions);
    let differ = wanted.names.iter().collect::<BTreeSet<_>>().len() == wanted.names.len();
    if !(as_many && differ && wanted.names.iter().all(good)) {
        let known = "as many names as regions, each of its own, of lower-case letters, digits and dashes".to_owned();
        return Err(Error::Unknown { what: format!("layout of regions {:?}", wanted.names), known });
    }
    let letters = (b'a'..).take(wanted.regions.into()).map(|letter| char::from(letter).to_string());
    let regions: Vec<String> = if wanted.names.is_empty() { letters.collect() } else { wanted.names.clone() };
    let chosen = |recipe: &&Recipe| wanted.only.is_empty() || wanted.only.iter().any(|name| name == recipe.name);
    let mut groups = Vec::new();
    for (at, region) in regions.iter().enumerate() {
        for recipe in CATALOG.into_iter().filter(chosen) {
            let members = if recipe.name == "kafka" && at == 0 { wanted.brokers } else { 1 };
            let name = format!("{}-{region}", recipe.name);
            let further = (2..=members).map(|node| format!("{name}-{node}"));
            let members = std::iter::once(name.clone()).chain(further).collect();
            groups.push(Group { name, recipe, region: Some(region.clone()), members });
        }
    }
    let witness = recipe("etcd").filter(|recipe| wanted.witness && chosen(recipe));
    groups.extend(witness.map(|recipe| Group {
        name: WITNESS.to_owned(),
        recipe,
        region: None,
        members: (1..=WITNESSES).map(|node| format!("witness-{node}")).collect(),
    }));
    let members: Vec<_> = groups.iter().flat_map(|group| &group.members).collect();
    // Region `a` with two brokers beside a region `a-2`.
    let twice = members.iter().collect::<BTreeSet<_>>().len() < members.len();
    if groups.is_empty() || twice {
        let what = if twice { "place for two servers of one name" } else { "server in such a layout" };
        let known = "one of each kind for each region, and a witness of etcd".to_owned();
        return Err(Error::Unknown { what: what.to_owned(), known });
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(wanted: &Wanted) -> Vec<String> {
        groups(wanted).unwrap().into_iter().flat_map(|group| group.members).collect()
    }

    #[test]
    fn by_default_two_regions_of_everything_and_a_witness() {
        let all = "kafka-a postgres-a etcd-a kafka-b postgres-b etcd-b witness-1 witness-2 witness-3";
        assert_eq!(names(&Wanted::default()).join(" "), all);
    }

    #[test]
    fn only_what_is_asked_for() {
        assert_eq!(names(&Wanted::brokers(2)), ["kafka-a", "kafka-a-2"]);
        assert_eq!(names(&Wanted::one("postgres")), ["postgres-a"]);
        assert_eq!(names(&Wanted::witness()).len(), 3);
        let named = Wanted { brokers: 2, ..Wanted::one("kafka") }.in_regions(&["west", "eu-2"]);
        assert_eq!(names(&named), ["kafka-west", "kafka-west-2", "kafka-eu-2"]);
    }

    #[test]
    fn refuses_what_there_is_not() {
        assert!(groups(&Wanted::one("zookeeper-1")).is_err());
        assert!(groups(&Wanted { regions: 9, ..Wanted::default() }).is_err());
        for names in [&["a", "a"][..], &["West"], &["test"], &["witness"], &["a_b"], &[""]] {
            assert!(groups(&Wanted::one("etcd").in_regions(names)).is_err(), "{names:?}");
        }
        assert!(groups(&Wanted { regions: 0, ..Wanted::one("kafka") }).is_err());
        assert!(groups(&Wanted::brokers(2).in_regions(&["a", "a-2"])).is_err());
        assert!(groups(&Wanted { brokers: 0, ..Wanted::default() }).is_err());
    }
}
