//! What a line of `cargo test`'s output says. Pure.

/// What one line says; lines that say nothing of these are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// A test binary starts, or the documentation tests of a crate.
    Target(String),
    /// A test has ended.
    Test { name: String, outcome: Outcome },
    /// The counts of a test binary.
    Counts { passed: u64, failed: u64, ignored: u64 },
    /// A note that a test prints for the report.
    Note(String),
    /// A server with its version, and how many tests of a binary ran with it.
    Server { name: String, tests: u64 },
}

/// How a test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed,
    /// Not run, with the reason if one is given.
    Ignored(Option<String>),
}

/// Reads one line.
pub(crate) fn read(line: &str) -> Option<Line> {
    let line = line.trim();
    if let Some(target) = line.strip_prefix("Running ") {
        return Some(Line::Target(target_name(target)));
    }
    if let Some(of) = line.strip_prefix("Doc-tests ") {
        return Some(Line::Target(format!("{of} (documentation)")));
    }
    if let Some(counts) = line.strip_prefix("test result: ") {
        return counts_of(counts);
    }
    if line.starts_with("matrix: ") {
        return Some(Line::Note(line.to_owned()));
    }
    if let Some((name, tests)) = line.strip_prefix("server: ").and_then(|used| used.rsplit_once(", tests: ")) {
        return Some(Line::Server { name: name.to_owned(), tests: tests.parse().ok()? });
    }
    let (name, ending) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let outcome = match ending {
        "ok" => Outcome::Passed,
        "FAILED" => Outcome::Failed,
        "ignored" => Outcome::Ignored(None),
        _ => Outcome::Ignored(Some(ending.strip_prefix("ignored, ")?.to_owned())),
    };
    Some(Line::Test { name: name.to_owned(), outcome })
}

// `tests/remote/main.rs (target/debug/deps/remote-0123)` is `remote`; for unit tests the same, with
// a word about it. The binary's name is the only one that says which crate it belongs to.
fn target_name(text: &str) -> String {
    let (source, binary) = text.rsplit_once(" (").unwrap_or((text, text));
    let file = binary.trim_end_matches(')').rsplit('/').next().unwrap_or(binary);
    let name = file.rsplit_once('-').map_or(file, |(name, _)| name);
    let kind = if source.starts_with("unittests") { " (unit)" } else { "" };
    format!("{name}{kind}")
}

fn counts_of(text: &str) -> Option<Line> {
    let (_, counts) = text.split_once(". ")?;
    let count = |word: &str| {
        let part = counts.split("; ").find_map(|part| part.strip_suffix(word));
        part.and_then(|number| number.trim().parse().ok())
    };
    Some(Line::Counts { passed: count("passed")?, failed: count("failed")?, ignored: count("ignored")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_cargo_prints() {
        let target = |text: &str| Some(Line::Target(text.to_owned()));
        assert_eq!(
            read("     Running unittests src/lib.rs (target/debug/deps/dcp_core-0a1b)"),
            target("dcp_core (unit)")
        );
        assert_eq!(read("     Running tests/remote/main.rs (target/debug/deps/remote-0a1b)"), target("remote"));
        assert_eq!(read("   Doc-tests dcp_core"), target("dcp_core (documentation)"));
        let used = Line::Server { name: "kafka 4.1.1".to_owned(), tests: 12 };
        assert_eq!(read("server: kafka 4.1.1, tests: 12"), Some(used));
        let counts =
            "test result: FAILED. 7 passed; 1 failed; 2 ignored; 0 measured; 3 filtered out; finished in 0.10s";
        assert_eq!(read(counts), Some(Line::Counts { passed: 7, failed: 1, ignored: 2 }));
        assert_eq!(
            read("matrix: 18 boundaries of blackout"),
            Some(Line::Note("matrix: 18 boundaries of blackout".to_owned()))
        );
    }

    #[test]
    fn reads_how_tests_end() {
        let test = |name: &str, outcome| Some(Line::Test { name: name.to_owned(), outcome });
        assert_eq!(read("test memory::e1_reads ... ok"), test("memory::e1_reads", Outcome::Passed));
        assert_eq!(read("test a::b ... FAILED"), test("a::b", Outcome::Failed));
        assert_eq!(read("test a::b ... ignored"), test("a::b", Outcome::Ignored(None)));
        let reason = Outcome::Ignored(Some("python3 is absent".to_owned()));
        assert_eq!(read("test a::b ... ignored, python3 is absent"), test("a::b", reason));
        let of_text = "src/lib.rs - Thing (line 3)";
        assert_eq!(read("test src/lib.rs - Thing (line 3) ... ok"), test(of_text, Outcome::Passed));
    }

    #[test]
    fn says_nothing_of_other_lines() {
        for line in [
            "",
            "running 3 tests",
            "test result: odd",
            "testing ... ok",
            "   Compiling dcp-core v0.1.0",
            "test x ... odd",
        ] {
            assert_eq!(read(line), None, "{line:?}");
        }
    }
}
