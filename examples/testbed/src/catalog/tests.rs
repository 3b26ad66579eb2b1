use std::collections::BTreeSet;

use super::{CATALOG, Obtain};

#[test]
fn every_recipe_has_a_name_of_its_own() {
    let names: BTreeSet<_> = CATALOG.iter().map(|recipe| recipe.name).collect();
    assert_eq!(names.len(), CATALOG.len());
}

#[test]
fn what_is_obtained_has_the_version_that_is_shown() {
    for recipe in CATALOG {
        let named = match &recipe.obtain {
            Obtain::Maven { coordinates, .. } => coordinates.iter().any(|at| at.ends_with(":{version}")),
            Obtain::Go { module, .. } => module.contains(&format!(" v{}\n", recipe.version)),
            Obtain::Packed { builds } => builds.iter().all(|build| build.coordinate.ends_with(":{version}")),
        };
        assert!(named, "{}", recipe.name);
    }
}

#[test]
fn every_checksum_is_one() {
    let is_one = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    for recipe in CATALOG {
        match &recipe.obtain {
            Obtain::Maven { checksums, .. } => {
                assert!(checksums.lines().count() > 10);
                assert!(checksums.lines().all(|line| line.split_once("  ").is_some_and(|(sum, _)| is_one(sum))));
            }
            Obtain::Go { sums, .. } => assert!(sums.lines().all(|line| line.contains(" h1:"))),
            Obtain::Packed { builds } => {
                let sums = builds.iter().map(|build| build.checksum.split_once("  "));
                assert!(sums.into_iter().all(|sum| sum.is_some_and(|(sum, _)| is_one(sum))));
            }
        }
    }
}

#[test]
fn the_proxied_ports_are_ports() {
    for recipe in CATALOG {
        let (behind, front) = recipe.proxied;
        assert!(recipe.ports.contains(&behind), "{}", recipe.name);
        assert!(front.is_none_or(|front| recipe.ports.contains(&front)), "{}", recipe.name);
    }
}
