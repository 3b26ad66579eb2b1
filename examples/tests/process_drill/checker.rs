//! The independent checker on a drill's evidence: it shares no code with the drill.

use std::process::Command;

use examples::drill::data;
use examples::orders::Home;

use super::drill::{Drill, LINES};

/// Runs the checker on both dumps. Gives back whether it found nothing wrong, and what it said.
pub(super) fn check(drill: &Drill) -> (bool, String) {
    let orders = drill.beside("orders.csv");
    let lines = data::load(None, Some(LINES)).unwrap();
    let mut writer = csv::Writer::from_path(&orders).unwrap();
    writer.write_record(examples::orders::line::COLUMNS).unwrap();
    lines.iter().for_each(|line| writer.write_record(line.fields()).unwrap());
    writer.flush().unwrap();
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/check_drill.py")).arg("--data").arg(&orders);
    command.arg("--out").arg(drill.out());
    for (home, option) in [(Home::West, "--dump-w"), (Home::Central, "--dump-c")] {
        let dump = drill.run(["dump", "--region", home.region()]).with(0);
        let path = drill.beside(&format!("dump.{}.jsonl", home.region()));
        std::fs::write(&path, dump.out).unwrap();
        command.arg(option).arg(path);
    }
    let output = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
}
