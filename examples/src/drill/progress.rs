//! Progress on a terminal, plain lines otherwise.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::orders::{Home, Orders};

/// Says lines on standard error, above the bar where there is one.
#[derive(Debug, Clone)]
pub struct Say(Option<ProgressBar>);

impl Say {
    /// Without a bar.
    #[must_use]
    pub fn plain() -> Self {
        Self(None)
    }

    /// One line.
    pub fn line(&self, line: &str) {
        match &self.0 {
            Some(bar) => bar.println(line),
            None => eprintln!("{line}"),
        }
    }
}

/// Says how far the drill is, on standard error.
#[derive(Debug)]
pub struct Printer {
    bar: ProgressBar,
    say: Say,
    acknowledged: Mutex<BTreeMap<Home, u64>>,
    // How many of the first records are at home in the lost region: by record number.
    west_to: Vec<u32>,
}

impl Printer {
    /// For these lines.
    #[must_use]
    pub fn new(orders: &Orders) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(orders.len()), target);
        if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} {wide_bar} {pos}/{len} lines acknowledged") {
            bar.set_style(style);
        }
        let mut west = 0;
        let mut west_to = vec![0];
        for line in orders.iter() {
            west += u32::from(line.home().ok() == Some(Home::West));
            west_to.push(west);
        }
        Self { say: Say(terminal.then(|| bar.clone())), bar, acknowledged: Mutex::default(), west_to }
    }

    /// One line of the story.
    pub fn say(&self, line: &str) {
        self.say.line(line);
    }

    /// For what says lines by itself.
    #[must_use]
    pub fn sayer(&self) -> Say {
        self.say.clone()
    }

    /// Lines that a producer has acknowledged.
    pub fn acknowledged(&self, home: Home, lines: u64) {
        let mut all = self.acknowledged.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.insert(home, lines);
        self.bar.set_position(all.values().sum());
    }

    /// Lines at home in a region among the first records.
    #[must_use]
    pub fn own_lines_to(&self, home: Home, record: u64) -> u64 {
        let last = self.west_to.len() - 1;
        let record = usize::try_from(record).unwrap_or(last).min(last);
        let west = u64::from(self.west_to.get(record).copied().unwrap_or_default());
        match home {
            Home::West => west,
            Home::Central => record as u64 - west,
        }
    }

    /// Ends the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
