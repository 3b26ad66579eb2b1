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
}

impl Options {
    pub(crate) fn of(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { store: "postgres".to_owned(), named: false, seconds: 12, rounds: 4 };
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--store" => {
                    options.store = arguments.next().ok_or("--store needs a name: postgres")?;
                    options.named = true;
                }
                "--quick" => (options.seconds, options.rounds) = (2, 1),
                // Cargo says so to every benchmark.
                "--bench" => {}
                other => return Err(format!("{other}: only --store NAME and --quick are known")),
            }
        }
        Ok(options)
    }

    /// How long one round of an arm lasts.
    pub(crate) fn round(&self) -> Duration {
        Duration::from_secs(u64::from(self.seconds)) / self.rounds
    }
}
