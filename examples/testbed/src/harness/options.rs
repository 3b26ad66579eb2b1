//! The arguments that cargo hands to a test binary. Pure.

/// What is asked for. Arguments that change only how libtest prints are taken and have no effect.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) list: bool,
    pub(super) require_all: bool,
    exact: bool,
    ignored_only: bool,
    filters: Vec<String>,
    skips: Vec<String>,
}

/// What changes how libtest prints and runs, with or without `=`.
const PRINTING: [&str; 13] = [
    "--nocapture",
    "--no-capture",
    "--show-output",
    "--quiet",
    "-q",
    "--include-ignored",
    "--report-time",
    "--ensure-time",
    "--test-threads",
    "--format",
    "--color",
    "--logfile",
    "--test",
];

impl Options {
    /// Reads them; answers the first that libtest does not know either.
    pub(super) fn of(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            let (flag, value) = match argument.split_once('=') {
                Some((flag, value)) if flag.starts_with("--") => (flag.to_owned(), Some(value.to_owned())),
                _ => (argument, None),
            };
            match flag.as_str() {
                "--list" => options.list = true,
                "--exact" => options.exact = true,
                "--ignored" => options.ignored_only = true,
                "--require-all" => options.require_all = true,
                "--skip" => options.skips.extend(value.or_else(|| arguments.next())),
                "--test-threads" | "--format" | "--color" | "-Z" | "--logfile" if value.is_none() => {
                    arguments.next();
                }
                known if PRINTING.contains(&known) => {}
                unknown if unknown.starts_with('-') => return Err(flag),
                filter => options.filters.push(filter.to_owned()),
            }
        }
        Ok(options)
    }

    /// No case is ignored from the start, so `--ignored` chooses none.
    pub(super) fn chooses(&self, name: &str) -> bool {
        let matches = |filter: &String| if self.exact { name == filter } else { name.contains(filter.as_str()) };
        let wanted = self.filters.is_empty() || self.filters.iter().any(matches);
        wanted && !self.ignored_only && !self.skips.iter().any(matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Options {
        Options::of(text.split_whitespace().map(str::to_owned)).unwrap()
    }

    #[test]
    fn chooses_as_libtest_does() {
        assert!(options("").chooses("kafka::answers"));
        assert!(options("--nocapture kafka").chooses("kafka::answers"));
        assert!(!options("--test-threads 1 etcd").chooses("kafka::answers"));
        assert!(!options("--exact kafka").chooses("kafka::answers"));
        assert!(!options("--skip answers").chooses("kafka::answers"));
        assert!(!options("--skip=answers").chooses("kafka::answers"));
        assert!(options("--color=never --test-threads=1 kafka").chooses("kafka::answers"));
        assert!(!options("--ignored").chooses("kafka::answers"));
        let unknown = Options::of(["kafka", "--require-al"].map(str::to_owned).into_iter());
        assert_eq!(unknown, Err("--require-al".to_owned()));
    }
}
