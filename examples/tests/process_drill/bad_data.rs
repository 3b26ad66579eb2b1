//! Data that is not as it should be: refused as a whole, with record and field, before anything
//! is written.

use super::drill::Drill;

const HEADER: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country";
const SOUND: &str = "536365,85123A,HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom";

// Three thousand sound lines come first: it must be found before the first is appended.
#[track_caller]
fn refused(header: &str, last: &str, words: &[&str]) {
    let drill = Drill::new();
    let data = drill.beside("orders.csv");
    let text = format!("{header}\n{}{last}\n", format!("{SOUND}\n").repeat(3_000));
    std::fs::write(&data, text).unwrap();
    let ended = drill.run(["--ttl", "1", "--data", data.to_str().unwrap()]);
    ended.with(2).saying(&["error: "]).saying(words);
    let written: Vec<_> = std::fs::read_dir(drill.out()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(written, ["lock"], "something was written");
}

#[test]
fn a_malformed_line() {
    refused(HEADER, "536365,\"85123A,HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,France", &["record 3001"]);
    refused(HEADER, "536365,85123A,HOLDER", &["record 3001", "3 fields instead of 8"]);
}

#[test]
fn an_unknown_country() {
    refused(HEADER, &SOUND.replace("United Kingdom", "Atlantis"), &["record 3001", "Country", "Atlantis"]);
}

#[test]
fn a_bad_number() {
    refused(HEADER, &SOUND.replace(",6,", ",six,"), &["record 3001", "Quantity", "six"]);
    refused(HEADER, &SOUND.replace("2.55", "2,55"), &["record 3001"]);
    refused(HEADER, &SOUND.replace("2.55", "2.5.5"), &["record 3001", "UnitPrice"]);
}

#[test]
fn wrong_columns() {
    refused(&HEADER.replace("Country", "Land"), SOUND, &["record 0", "header"]);
}

#[test]
fn a_missing_file_and_bad_turns() {
    let drill = Drill::new();
    drill.begin(&["--data", "/nowhere/orders.csv"]).with(2).saying(&["/nowhere/orders.csv"]);
    drill.begin(&["--dark-at", "2000", "--return-at", "1000"]).with(2).saying(&["--dark-at 2000", "--return-at 1000"]);
    drill.run(["--lines", "0"]).with(2).saying(&["0 lines"]);
    drill.run(["--lines", "100000000"]).with(2).saying(&["at most the file's 541909"]);
    drill.run(["--lines", "3000", "--ttl", "0.1"]).with(2).saying(&["--ttl 0.1"]);
    drill.run(["--crash-after", "parity:never"]).with(2).saying(&["parity:never"]);
    assert!(!drill.out().join("drill.json").exists());
}
