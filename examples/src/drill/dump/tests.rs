use dcp_core::event::{Record, Version};
use dcp_core::ids::LinkId;
use dcp_core::memory::MemoryEventStore;
use dcp_core::ownership::Epoch;
use dcp_core::ports::{CopyBatch, EventStore, WriterRole};
use dcp_core::position::{LogIncarnation, PrefixDigest};

use super::*;
use crate::foundation::Foundation;
use crate::orders::{new_event, partition_of};

#[tokio::test]
async fn records_are_written_as_the_checker_reads_them() {
    let store = MemoryEventStore::new(Home::Central.region_id(), LogIncarnation::from_bytes([1; 16]));
    let log = LogId::new(Home::West.scope_id(), Home::West.region_id(), partition_of("A"));
    let beats = LogId::heartbeats(&Home::West.scope_id(), &Home::West.region_id()).unwrap();
    let fields = ["5", "A", " \"POT\"", "6", "2010", "1.5", "", "EIRE"];
    let event = new_event(&OrderLine::new(7, fields)).unwrap();
    let writer = store
        .open_writer(&[log.clone(), beats.clone()], WriterRole::Mirror(LinkId::new("link").unwrap()))
        .await
        .unwrap();
    for log in [&log, &beats] {
        let records = vec![Record::of(event.clone(), Epoch::new(2), Version::new(1))];
        writer.copy(CopyBatch::new(log.clone(), PrefixDigest::EMPTY, records)).await.unwrap();
    }
    let mut out = Vec::new();
    write_logs(&store, &Home::Central.region_id(), &mut out).await.unwrap();
    let expected = format!(
        "{{\"log\":\"{log}\",\"position\":1,\"stream\":\"A\",\"epoch\":2,\"version\":1,\"id\":\"{}\",\"line\":7,\
         \"data\":[\"5\",\"A\",\" \\\"POT\\\"\",\"6\",\"2010\",\"1.5\",\"\",\"EIRE\"],\
         \"region\":\"eu-central-1\"}}\n",
        event.id
    );
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[tokio::test]
async fn a_folder_without_a_run_is_refused_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let error = dump(folder.path(), &Home::West.region_id(), &mut Vec::new()).await.unwrap_err();
    assert_eq!(error.code(), "no-store");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_store_that_is_open_elsewhere_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let region = Home::West.region_id();
    let path = Foundation::at(folder.path()).region_folder(&region);
    std::fs::create_dir_all(&path).unwrap();
    let entropy = std::sync::Arc::new(dcp_core::clock::SeededEntropy::new(1, "test"));
    let settings =
        dcp_core::store::embedded::EmbeddedEventSettings::new(path.join("events.redb"), region.clone(), entropy);
    let open = dcp_core::store::embedded::EmbeddedEventStore::open(&settings).unwrap();
    let error = dump(folder.path(), &region, &mut Vec::new()).await.unwrap_err();
    assert_eq!(error.code(), "in-use");
    open.close().await;
    dump(folder.path(), &region, &mut Vec::new()).await.unwrap();
}
