//! The drill with a planted defect in every region, named by `PLANTED_DEFECT`: for the tests that
//! show that a drill finds it.

use std::process::ExitCode;

use examples::defects::Planted;

fn main() -> ExitCode {
    match std::env::var("PLANTED_DEFECT").map_err(|cause| cause.to_string()).and_then(|name| name.parse()) {
        Ok(defect) => examples::command::main(&Planted(defect)),
        Err(why) => {
            eprintln!("error: PLANTED_DEFECT: {why}");
            ExitCode::from(2)
        }
    }
}
