use super::*;

fn west() -> RegionId {
    RegionId::new("west").unwrap()
}

fn identity() -> Identity {
    Identity { format: 1, region: west(), incarnation: "07".repeat(16), partitions: 8 }
}

#[test]
fn golden() {
    let written = identity().write().unwrap();
    let text =
        "{\"format\":1,\"region\":\"west\",\"incarnation\":\"07070707070707070707070707070707\",\"partitions\":8}";
    assert_eq!(written, text.as_bytes());
    assert_eq!(Identity::read(&written, &west(), 8).unwrap(), LogIncarnation::from_bytes([7; 16]));
    assert_eq!(fence_value(&Fence::unset()).unwrap(), "null".as_bytes());
    let places: Vec<_> = ["store", "fence/orders@west/0", "cursor/a"].iter().map(|key| partition_of(key, 8)).collect();
    assert_eq!(places, PLACES);
}

const PLACES: [i32; 3] = [7, 1, 3];

#[test]
fn what_is_not_this_store_is_refused() {
    let code = |identity: &Identity, region: &str, partitions| {
        let region = RegionId::new(region).unwrap();
        Identity::read(&identity.write().unwrap(), &region, partitions).unwrap_err().code().to_owned()
    };
    assert_eq!(code(&identity(), "east", 8), "other-region");
    assert_eq!(code(&identity(), "west", 9), "other-partition-count");
    assert_eq!(code(&Identity { format: 2, ..identity() }, "west", 8), "newer-format");
    let later = Bytes::from_static(b"{\"format\":2,\"everything\":\"else\"}");
    assert_eq!(Identity::read(&later, &west(), 8).unwrap_err().code(), "newer-format");
    assert_eq!(Identity::read(&"no".into(), &west(), 8).unwrap_err().code(), "store-contradicts-itself");
}

#[test]
fn the_last_value_of_a_key_counts() {
    let numbered = (0..).zip([record("a", "1".into(), 0), record("b", "2".into(), 0), record("a", "3".into(), 0)]);
    let records: Vec<_> = numbered.map(|(offset, record)| Record { offset, ..record }).collect();
    let mut state = Folded::default();
    state.fold(Page { records: records.clone(), next: 4, leader_epoch: None });
    state.fold(Page { records, next: 3, leader_epoch: None });
    assert_eq!((state.get("a"), state.get("b"), state.next()), (Some(&"3".into()), Some(&"2".into()), 4));
    let gone = Record { offset: 4, value: None, ..record("a", Bytes::new(), 0) };
    state.fold(Page { records: vec![gone], next: 5, leader_epoch: None });
    assert_eq!(state.get("a"), None);
}
