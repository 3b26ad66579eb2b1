use std::os::unix::fs::PermissionsExt as _;

use dcp_core::clock::SeededEntropy;

use super::*;

#[test]
fn secrets_are_for_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let foundation = Foundation::at(folder.path());
    let bearers = Door::ALL.map(|door| foundation.bearer_path(door));
    // What an interrupted start left beside it, for all to read, does not lend it its mode.
    fs::write(bearers[0].with_extension("tmp"), "left over").unwrap();
    foundation.create(Duration::from_secs(8), &SeededEntropy::new(1, "keys")).unwrap();
    let keys = Home::ALL.map(|home| foundation.secret_path(&home.region_id()));
    for secret in keys.iter().chain(&bearers) {
        let mode = fs::metadata(secret).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", secret.display());
    }
    Door::ALL.iter().for_each(|door| drop(foundation.bearer(*door).unwrap()));
    let mut secrets: Vec<_> = bearers.iter().map(|path| fs::read(path).unwrap()).collect();
    secrets.sort();
    secrets.dedup();
    assert_eq!(secrets.len(), Door::ALL.len(), "one key opens two doors");
}
