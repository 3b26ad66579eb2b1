//! What is going on: one moving line on a terminal, plain lines of note elsewhere.

use std::time::Duration;

use indicatif::ProgressBar;

/// Shown until it is let go.
pub(crate) struct Shown(ProgressBar);

impl Shown {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    pub(crate) fn line(&self, line: &str) {
        // A tool's own lines pass by; what the testbed says itself stays.
        let passing = line.split_once(": ").is_some_and(|(tool, _)| matches!(tool, "mvn" | "go" | "pip"));
        if passing {
            self.0.set_message(line.chars().take(100).collect::<String>());
        } else if self.0.is_hidden() {
            eprintln!("{line}");
        } else {
            self.0.println(line);
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
