use dcp_core::event::{EventId, StreamId, Version};
use dcp_core::ids::{LinkId, SliceId};
use dcp_core::memory::MemoryEventStore;
use dcp_core::ownership::Epoch;
use dcp_core::ports::{CopyBatch, EventStore, WriterRole};
use dcp_core::position::LogIncarnation;

use super::super::fold::fold;
use super::*;
use crate::orders::{Home, OrderLine, expected, new_event};

const DATA: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
1,A,POT,6,2010,1.5,,EIRE
1,A,POT,-2,2010,1.5,,EIRE
2,A,POT,3,2010,1.5,,Japan
3,A,POT,4,2010,1.5,,EIRE
";

fn orders() -> Orders {
    Orders::read(DATA.as_bytes(), None).unwrap()
}

fn logs() -> Logs {
    Logs::new(Home::ALL.map(|home| (home, SliceId::new("s10").unwrap(), [partition_of("A")])))
}

fn record(number: u64, epoch: u64, version: u64) -> Record {
    Record::of(new_event(&orders().line(number).unwrap()).unwrap(), Epoch::new(epoch), Version::new(version))
}

/// A store in a third region that holds these records of logs by number.
async fn store(held: Vec<(usize, Vec<Record>)>) -> MemoryEventStore {
    let observer = dcp_core::ids::RegionId::new("observer").unwrap();
    let store = MemoryEventStore::new(observer, LogIncarnation::from_bytes([1; 16]));
    for (number, records) in held {
        let log = logs().entry(number).id.clone();
        let role = WriterRole::Mirror(LinkId::new("link").unwrap());
        let writer = store.open_writer(std::slice::from_ref(&log), role).await.unwrap();
        writer.copy(CopyBatch::new(log, PrefixDigest::EMPTY, records)).await.unwrap();
    }
    store
}

#[tokio::test]
async fn a_store_is_read_into_rows_and_folds_to_what_the_file_adds_up_to() {
    // Line 2 is late and also a copy under epoch 2; epoch and version, not arrival, order a stream.
    let west = vec![record(1, 1, 1), record(2, 1, 2), record(4, 3, 3)];
    let store = store(vec![(1, vec![record(2, 2, 1)]), (0, west), (3, vec![record(3, 1, 1)])]).await;
    let table = StoreTable::read(&store, &logs(), &orders()).await.unwrap();
    assert_eq!(table.logs.iter().map(Vec::len).collect::<Vec<_>>(), [3, 1, 0, 1]);
    assert_eq!((table.counts(4), &table.unsound), (vec![0, 1, 2, 1, 1], &None));
    let row = table.logs[0][1];
    assert_eq!((row.line, row.epoch, row.version, row.sound, row.digest), (2, 1, 2, true, record(2, 1, 2).digest()));
    assert_eq!(table.at(0, row.rank), Some(&row));
    let end = store.ends(&[logs().entry(0).id.clone()]).await.unwrap();
    assert_eq!(prefix_of(&table.logs[0], 3), end.get(&logs().entry(0).id).map(|end| end.prefix));
    assert_eq!(prefix_of(&table.logs[0], 4), None);
    assert_eq!(fold(&logs(), &table, &orders()).unwrap(), expected(orders().iter()).unwrap());
}

#[tokio::test]
async fn a_record_that_is_not_its_lines_event_in_its_place_is_unsound() {
    let spoils: [fn(&mut Record); 5] = [
        |record| record.payload = b"[1,\"1\",\"A\",\"POT\",\"7\",\"2010\",\"1.5\",\"\",\"EIRE\"]".as_slice().into(),
        |record| record.id = EventId::from_bytes([0; 16]),
        |record| record.stream = StreamId::new("B"),
        |record| record.headers.push(("a".to_owned(), "b".into())),
        |record| {
            *record = Record::of(
                new_event(&OrderLine::new(9, ["1", "A", "", "1", "", "1", "", "EIRE"])).unwrap(),
                Epoch::GENESIS,
                Version::new(1),
            )
        },
    ];
    for spoil in spoils {
        let mut spoiled = record(1, 1, 1);
        spoil(&mut spoiled);
        let table = StoreTable::read(&store(vec![(0, vec![spoiled])]).await, &logs(), &orders()).await.unwrap();
        assert!(!table.logs[0][0].sound && table.unsound.is_some());
        assert!(fold(&logs(), &table, &orders()).is_err());
    }
    // A line of the other home.
    let table = StoreTable::read(&store(vec![(0, vec![record(3, 1, 1)])]).await, &logs(), &orders()).await.unwrap();
    assert!(table.unsound.unwrap().contains("at home elsewhere"));
}
