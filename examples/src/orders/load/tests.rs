use std::path::PathBuf;

use super::*;

const HEADER: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";
const GOOD: &str = "5,85123A,POT,6,2010-12-01 08:26:00,2.55,1.0,EIRE\n";

pub(crate) fn bundled_path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data/online-retail.csv.zst")
}

fn read(lines: &str) -> Result<Orders, Error> {
    Orders::read(format!("{HEADER}{lines}").as_bytes(), None)
}

fn message_of(lines: &[u8]) -> String {
    let text = [HEADER.as_bytes(), GOOD.as_bytes(), lines].concat();
    let error = Orders::read(&text[..], None).unwrap_err();
    assert_eq!(error.kind(), dcp_core::ErrorKind::Invalid);
    error.message().to_owned()
}

#[test]
fn the_bundled_file_is_read_whole_and_exactly() {
    let orders = Orders::bundled(&bundled_path(), Some(3_000)).unwrap();
    assert_eq!(orders.len(), 3_000);
    let first =
        ["536365", "85123A", "WHITE HANGING HEART T-LIGHT HOLDER", "6", "2010-12-01 08:26:00", "2.55", "17850.0"];
    assert_eq!(orders.line(1).unwrap().fields()[..7], first);
    assert!(orders.line(0).is_none() && orders.line(3_001).is_none() && orders.line(u64::MAX).is_none());
    assert!(orders.iter().any(|line| line.fields()[2].ends_with(' ')), "spaces at the end are kept");
}

#[test]
fn the_limit_must_be_met_by_the_file() {
    assert_eq!(Orders::read(format!("{HEADER}{GOOD}{GOOD}").as_bytes(), Some(1)).unwrap().len(), 1);
    for limit in [0, 3] {
        let error = Orders::read(format!("{HEADER}{GOOD}{GOOD}").as_bytes(), Some(limit)).unwrap_err();
        assert_eq!(error.code(), "bad-limit");
    }
    assert_eq!(read("").unwrap_err().code(), "no-lines");
}

#[test]
fn a_line_past_the_limit_is_checked_too() {
    let text = format!("{HEADER}{GOOD}5,1,POT,six,2010,1,,EIRE\n");
    assert_eq!(Orders::read(text.as_bytes(), Some(1)).unwrap_err().code(), "bad-quantity");
}

#[test]
fn fields_keep_spaces_quotes_commas_and_line_breaks() {
    let orders = read("5,85123a, \"POT\" ,6,2010,2.55,,EIRE\n\n5,1,\"A \"\"B\"\", C\nD\",6,2010,2.55,,EIRE").unwrap();
    assert_eq!(orders.line(1).unwrap().fields()[2], " \"POT\" ");
    assert_eq!(orders.line(2).unwrap().fields()[2], "A \"B\", C\nD");
    assert_eq!(orders.len(), 2, "an empty line is no record");
}

#[test]
fn each_fault_names_record_and_field() {
    for (lines, place) in [
        (&b"5,1,POT,6,2010,1,EIRE\n"[..], "record 2: 7 fields instead of 8"),
        (b"5,1,POT,6,2010,1,,EIRE,\n", "record 2: 9 fields instead of 8"),
        (b"5,1,POT,x,2010,1,,EIRE\n", "record 2, field Quantity: \"x\""),
        (b"5,1,POT,6,2010,1.,,EIRE\n", "record 2, field UnitPrice: \"1.\""),
        (b"5,1,POT,6,2010,1,,EIRE \n", "record 2, field Country: \"EIRE \""),
        (b"5,1,\xff,6,2010,1,,EIRE\n", "record 2, field Description: not UTF-8"),
        (b"5,1,\"POT\"S,6,2010,1,,EIRE\n", "record 2, field Description: text follows a closing quote"),
        (b"5,1,POT,6,2010,1,,\"EIRE", "record 2, field Country: a quote is never closed"),
        (b"5,1,\"POT,6,2010,1,,EIRE\n5,1,POT,6,2010,1,,EIRE\n", "record 2: 3 fields instead of 8"),
    ] {
        let message = message_of(lines);
        assert!(message.starts_with(place), "{message}");
    }
    let error = Orders::read("a,b\n1,2\n".as_bytes(), None).unwrap_err();
    assert_eq!(error.code(), "bad-header");
}

#[test]
fn files_are_opened_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("orders.csv");
    std::fs::write(&plain, format!("{HEADER}{GOOD}")).unwrap();
    assert_eq!(Orders::given(&plain, None).unwrap().len(), 1);
    let packed = folder.path().join("orders.csv.zst");
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let frame = |text: &str| ruzstd::encoding::compress_to_vec(text.as_bytes(), level);
    let frames = [frame(HEADER), frame(GOOD), frame(GOOD)].concat();
    std::fs::write(&packed, &frames).unwrap();
    assert_eq!(Orders::given(&packed, None).unwrap().len(), 2, "every frame counts");
    std::fs::write(&packed, &frames[..frames.len() - 9]).unwrap();
    assert_eq!(Orders::given(&packed, None).unwrap_err().code(), "unreadable-data", "a cut file");
    assert_eq!(Orders::bundled(&plain, None).unwrap_err().code(), "bundled-data-differs");
    let missing = Orders::given(&folder.path().join("none.csv"), None).unwrap_err();
    assert!(missing.message().contains("none.csv"), "{missing}");
}
