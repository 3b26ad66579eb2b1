//! What is asked for.

use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) store: String,
    /// Whether the store was named, and not taken because none was.
    pub(crate) named: bool,
    /// Seconds that each arm is measured for, over all rounds.
    pub(crate) seconds: u32,
    pub(crate) rounds: u32,
    /// How many producers there are, one measurement after the other.
    pub(crate) producers: Vec<usize>,
}

impl Options {
    pub(crate) fn of(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options =
            Self { store: "postgres".to_owned(), named: false, seconds: 12, rounds: 4, producers: vec![1, 64, 512] };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--store" => {
                    options.store = arguments.next().ok_or("--store needs a name: postgres or kafka")?;
                    options.named = true;
                }
                "--producers" => {
                    let number = arguments.next().and_then(|number| number.parse().ok());
                    options.producers = vec![number.filter(|&number| number > 0).ok_or("--producers needs a number")?];
                }
                "--quick" => (options.seconds, options.rounds) = (2, 1),
                // Cargo says so to every benchmark.
                "--bench" => {}
                other => return Err(format!("{other}: only --store NAME, --producers NUMBER and --quick are known")),
            }
        }
        Ok(options)
    }

    /// How long one round of an arm lasts.
    pub(crate) fn round(&self) -> Duration {
        Duration::from_secs(u64::from(self.seconds)) / self.rounds
    }
}
