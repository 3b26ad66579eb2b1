//! The folder of another run, in use, or of other data or seed: refused, and nothing in it changes.

use super::drill::Drill;
use super::evidence::{Evidence, has_passed};

#[test]
fn a_folder_is_about_one_run_only() {
    let drill = Drill::new();
    drill.resume(&[]).with(2).saying(&["holds no run"]);
    assert!(!drill.out().exists(), "a folder was made for a run that is not there");
    drill.begin(&["--crash-after", "take-ownership:outcome"]).with(3);
    let crashed = Evidence::of(&drill.out());

    let mixed = drill.beside("other.csv");
    let other = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n".to_owned()
        + &"1,2,3,4,2010-12-01 08:26:00,5,6,France\n".repeat(3_000);
    std::fs::write(&mixed, other).unwrap();
    drill.begin(&[]).with(2).saying(&["holds a run already", "--resume"]);
    drill.begin(&["--seed", "2"]).with(2).saying(&["holds a run already"]);
    drill.resume(&["--seed", "2"]).with(2).saying(&["its run is of seed 1"]);
    drill.resume(&["--lines", "2999"]).with(2).saying(&["its run is of"]);
    drill.resume(&["--data", mixed.to_str().unwrap()]).with(2).saying(&["its run is of other data"]);
    drill.run(["--verify"]).with(2).saying(&["has not ended"]);
    drill.run(["dump", "--region", "eu-north-9"]).with(2).saying(&["there is no store"]);

    drill.resume(&["--lines", "3000", "--seed", "1"]).with(0);
    crashed.lives_on_in(&Evidence::of(&drill.out()));
    has_passed(&drill.out());
    drill.run(["--verify"]).with(0);
    // A run that has ended is judged again and told no further.
    drill.resume(&[]).with(0);

    let journal = drill.out().join("journal").join("eu-central-1.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, text.replacen("take-ownership", "take-OWNERSHIP", 1)).unwrap();
    drill.run(["--verify"]).with(1).saying(&["eu-central-1", "exported otherwise"]);
}
