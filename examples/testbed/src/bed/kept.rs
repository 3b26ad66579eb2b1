//! What a folder of servers holds, as a file in it: so that kept data meet the server that wrote them.

use std::collections::BTreeMap;
use std::fs;

use serde::{Deserialize, Serialize};

use super::cluster_id;
use super::folder::Folder;
use crate::error::{Error, Kept};
use crate::layout::Group;

const FILE: &str = "bed.json";

/// One cluster of servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Cluster {
    kind: String,
    version: String,
    members: Vec<String>,
    id: String,
}

type Clusters = BTreeMap<String, Cluster>;

/// The id of each group's cluster, by the group's name: those of the data that are there, or fresh ones.
pub(super) fn clusters(folder: &Folder, groups: &[Group]) -> Result<BTreeMap<String, String>, Error> {
    let path = folder.path().join(FILE);
    let held = match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|error| Error::path("understand", &path)(error.into()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let made = wanted(groups, cluster_id::fresh)?;
            let text = serde_json::to_vec_pretty(&made).map_err(|error| Error::path("write", &path)(error.into()))?;
            // Under its name only as a whole: what was killed before has prepared nothing either.
            let beside = path.with_extension("tmp");
            fs::write(&beside, text).map_err(Error::path("write", &beside))?;
            fs::rename(&beside, &path).map_err(Error::path("name", &path))?;
            made
        }
        Err(error) => return Err(Error::path("read", &path)(error)),
    };
    match differs(&held, groups)? {
        Some(why) => Err(Error::Kept { folder: folder.path().to_owned(), why }),
        None => Ok(held.into_iter().map(|(name, cluster)| (name, cluster.id)).collect()),
    }
}

fn wanted(groups: &[Group], id: impl Fn() -> Result<String, Error>) -> Result<Clusters, Error> {
    let of = |group: &Group| {
        let (kind, version) = (group.recipe.name.to_owned(), group.recipe.version.to_owned());
        Ok((group.name.clone(), Cluster { kind, version, members: group.members.clone(), id: id()? }))
    };
    groups.iter().map(of).collect()
}

// What is held and what is asked for, unless they are the same but for the ids.
fn differs(held: &Clusters, groups: &[Group]) -> Result<Option<Kept>, Error> {
    let asked = described(&wanted(groups, || Ok(String::new()))?);
    let held = described(held);
    Ok((held != asked).then_some(Kept::Other { held, wanted: asked }))
}

fn described(clusters: &Clusters) -> String {
    let one = |cluster: &Cluster| format!("{} {} ({})", cluster.kind, cluster.version, cluster.members.join(" "));
    clusters.values().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Wanted, groups};

    #[test]
    fn a_folder_keeps_its_clusters_and_refuses_others() {
        let base = tempfile::tempdir().unwrap();
        let [kafka, postgres] = ["kafka", "postgres"].map(|kind| groups(&Wanted::one(kind)).unwrap());
        let folder = Folder::kept(base.path()).unwrap();
        let first = clusters(&folder, &kafka).unwrap();
        assert_eq!(first["kafka-a"].len(), 22);
        assert_eq!(clusters(&folder, &kafka).unwrap(), first);
        let refused = clusters(&folder, &postgres).unwrap_err().to_string();
        assert!(refused.contains("kafka 4.1.1 (kafka-a), not of postgres 18"), "{refused}");

        let path = base.path().join(FILE);
        let older = fs::read_to_string(&path).unwrap().replace("4.1.1", "3.9.0");
        fs::write(&path, older).unwrap();
        let refused = clusters(&folder, &kafka).unwrap_err().to_string();
        assert!(refused.contains("kafka 3.9.0 (kafka-a), not of kafka 4.1.1"), "{refused}");
    }
}
