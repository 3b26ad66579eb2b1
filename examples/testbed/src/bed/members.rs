//! Fills in the placeholders of a group's members, which name each other. Pure but for taking ports.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use crate::catalog::Members;
use crate::error::Error;
use crate::layout::Group;
use crate::ports::Port;
use crate::server::{Member, Place};
use crate::template::{Values, render};
use crate::tls::Tls;

/// More copies than these protect against nothing that happens on one machine.
const COPIES_MAX: usize = 3;

/// What a group's members stand on.
pub(super) struct Ground<'a> {
    /// Where the server was obtained to.
    pub(super) home: &'a Path,
    /// Certificates.
    pub(super) tls: &'a Tls,
    /// Below this each member has a folder of its own.
    pub(super) data: &'a Path,
    /// The id of their cluster.
    pub(super) cluster: &'a str,
    /// Where they stand in the network.
    pub(super) place: &'a Place,
}

/// The members of a group, ready to be prepared.
pub(super) fn of(group: &Group, ground: &Ground<'_>) -> Result<Vec<Member>, Error> {
    let mut members = Vec::new();
    for (at, name) in group.members.iter().enumerate() {
        let mut ports = BTreeMap::new();
        for port in group.recipe.ports {
            ports.insert(*port, Port::take()?);
        }
        let data = ground.data.join(name);
        let mut values = Values::new();
        let mut set = |name: &str, value: String| values.insert(name.to_owned(), value);
        set("name", name.clone());
        set("region", group.region.clone().unwrap_or_default());
        set("node", (at + 1).to_string());
        set("home", ground.home.display().to_string());
        set("data", data.display().to_string());
        set("host", ground.place.host.to_string());
        set("clients", ground.place.clients.clone());
        set("tls", ground.tls.folder().display().to_string());
        set("cluster", ground.cluster.to_owned());
        set("copies", group.members.len().min(COPIES_MAX).to_string());
        for (port, taken) in &ports {
            set(&format!("port:{port}"), taken.number().to_string());
        }
        for (placeholder, first, others) in group.recipe.by_member {
            let text = render(if at == 0 { first } else { others }, &values)?;
            values.insert((*placeholder).to_owned(), text);
        }
        members.push(Member {
            name: name.clone(),
            group: group.name.clone(),
            region: group.region.clone(),
            recipe: group.recipe,
            ports,
            values,
            data,
            place: ground.place.clone(),
            disk: None,
            clock_off: Mutex::default(),
            certificate: ground.tls.server(),
        });
    }
    for joined in group.recipe.joined {
        let count = if joined.of == Members::First { 1 } else { members.len() };
        let each: Result<Vec<_>, _> =
            members.iter().take(count).map(|member| render(joined.each, &member.values)).collect();
        let text = each?.join(",");
        for member in &mut members {
            member.values.insert(joined.name.to_owned(), text.clone());
        }
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Wanted, groups};

    fn members(wanted: &Wanted) -> Vec<Member> {
        let groups = groups(wanted).unwrap();
        let [home, data] = ["/home", "/data"].map(Path::new);
        let (tls, place, cluster) = (&Tls::at("/tls"), &Place::loopback(), "AAAAAAAAAAAAAAAAAAAAAA");
        of(&groups[0], &Ground { home, tls, data, cluster, place }).unwrap()
    }

    #[test]
    fn members_name_each_other() {
        let witness = members(&Wanted::witness());
        let peers = &witness[0].values["peers"];
        for member in &witness {
            let itself = format!("{}=http://127.0.0.1:{}", member.name, member.port("peer").unwrap().number());
            assert!(peers.contains(&itself), "{peers}");
            assert_eq!(&member.values["peers"], peers);
        }
    }

    #[test]
    fn the_second_broker_is_no_controller() {
        let brokers = members(&Wanted::brokers(2));
        let files: Vec<_> =
            brokers.iter().map(|member| render(member.recipe.files[0].1, &member.values).unwrap()).collect();
        assert!(files[0].contains("process.roles=broker,controller\nnode.id=1\n"));
        assert!(files[1].contains("process.roles=broker\nnode.id=2\n"));
        assert!(files[0].contains(",CONTROLLER://") && !files[1].contains(",CONTROLLER://"));
        assert_eq!(brokers[0].values["voters"], brokers[1].values["voters"]);
        // What the brokers themselves keep, such as group offsets, survives one of them.
        assert!(files.iter().all(|file| file.contains("offsets.topic.replication.factor=2\n")));
    }

    #[test]
    fn every_text_of_every_recipe_can_be_filled_in() {
        for recipe in crate::catalog::CATALOG {
            for member in members(&Wanted::one(recipe.name)) {
                let texts = recipe.start.iter().chain(recipe.prepare.iter().copied().flatten());
                let texts = texts.chain(recipe.files.iter().map(|(_, text)| text));
                for text in texts.chain(recipe.environment.iter().map(|(_, text)| text)) {
                    render(text, &member.values).unwrap();
                }
            }
        }
    }
}
