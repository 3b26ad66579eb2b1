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

impl Options {
    pub(super) fn of(arguments: impl Iterator<Item = String>) -> Self {
        let mut options = Self::default();
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--list" => options.list = true,
                "--exact" => options.exact = true,
                "--ignored" => options.ignored_only = true,
                "--require-all" => options.require_all = true,
                "--skip" => options.skips.extend(arguments.next()),
                "--test-threads" | "--format" | "--color" | "-Z" | "--logfile" => {
                    arguments.next();
                }
                flag if flag.starts_with('-') => {}
                filter => options.filters.push(filter.to_owned()),
            }
        }
        options
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
        Options::of(text.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn chooses_as_libtest_does() {
        assert!(options("").chooses("kafka::answers"));
        assert!(options("--nocapture kafka").chooses("kafka::answers"));
        assert!(!options("--test-threads 1 etcd").chooses("kafka::answers"));
        assert!(!options("--exact kafka").chooses("kafka::answers"));
        assert!(!options("--skip answers").chooses("kafka::answers"));
        assert!(!options("--ignored").chooses("kafka::answers"));
    }
}
