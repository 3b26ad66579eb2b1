//! A plan as one line, and back. Pure.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::plan::is_name;
use super::{Conditions, Direction, Fault, FaultKind, FaultPlan};
use crate::error::Error;

const BETWEEN: &str = "; ";

impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.faults().iter().map(ToString::to_string).collect();
        f.write_str(&lines.join(BETWEEN))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms {}", self.at.as_millis(), self.kind)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = |from: &str, to: &str, port: &Option<String>| match port {
            None => format!("{from} -> {to}"),
            Some(port) => format!("{from} -> {to}:{port}"),
        };
        match self {
            Self::Pause { place } => write!(f, "pause {place}"),
            Self::Resume { place } => write!(f, "resume {place}"),
            Self::Kill { place } => write!(f, "kill {place}"),
            Self::Restart { place } => write!(f, "restart {place}"),
            Self::Cut { from, to, port } => write!(f, "cut {}", way(from, to, port)),
            Self::Heal { from, to, port } => write!(f, "heal {}", way(from, to, port)),
            Self::Reset { place } => write!(f, "reset {place}"),
            Self::Link { place, direction, conditions } => {
                write!(f, "link {place} {}", direction_word(*direction))?;
                conditions_words(conditions).into_iter().try_for_each(|word| write!(f, " {word}"))
            }
        }
    }
}

fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::ToServer => "to-server",
        Direction::ToClient => "to-client",
    }
}

// Only what differs from nothing at all.
fn conditions_words(conditions: &Conditions) -> Vec<String> {
    let numbers = [
        ("delay-ms", conditions.delay_ms),
        ("jitter-ms", conditions.jitter_ms),
        ("bytes-per-second", conditions.bytes_per_second),
    ];
    let numbers = numbers.into_iter().filter(|(_, number)| *number > 0);
    let mut words: Vec<_> = numbers.map(|(name, number)| format!("{name}={number}")).collect();
    words.extend(conditions.stalled.then(|| "stalled".to_owned()));
    words.extend(conditions.reset_after.map(|bytes| format!("reset-after={bytes}")));
    words
}

impl FromStr for FaultPlan {
    type Err = Error;

    fn from_str(line: &str) -> Result<Self, Error> {
        let faults = line.split(';').map(str::trim).filter(|part| !part.is_empty());
        let faults: Result<Vec<_>, _> = faults
            .map(|part| {
                let unknown = || Error::invalid("bad-fault-plan", format!("{part:?} is no fault"));
                fault(part).ok_or_else(unknown)
            })
            .collect();
        Self::new(faults?)
    }
}

impl TryFrom<String> for FaultPlan {
    type Error = Error;

    fn try_from(line: String) -> Result<Self, Error> {
        line.parse()
    }
}

impl From<FaultPlan> for String {
    fn from(plan: FaultPlan) -> Self {
        plan.to_string()
    }
}

fn fault(part: &str) -> Option<Fault> {
    let words: Vec<_> = part.split_whitespace().collect();
    let (at, words) = words.split_first()?;
    let at = Duration::from_millis(at.strip_suffix("ms")?.parse().ok()?);
    let (verb, words) = words.split_first()?;
    let kind = match (*verb, words) {
        ("pause", [place]) => FaultKind::Pause { place: name(place)? },
        ("resume", [place]) => FaultKind::Resume { place: name(place)? },
        ("kill", [place]) => FaultKind::Kill { place: name(place)? },
        ("restart", [place]) => FaultKind::Restart { place: name(place)? },
        ("reset", [place]) => FaultKind::Reset { place: name(place)? },
        ("cut", [from, "->", to]) => {
            let (to, port) = with_port(to)?;
            FaultKind::Cut { from: name(from)?, to, port }
        }
        ("heal", [from, "->", to]) => {
            let (to, port) = with_port(to)?;
            FaultKind::Heal { from: name(from)?, to, port }
        }
        ("link", [place, direction, conditions @ ..]) => {
            let direction = Direction::BOTH.into_iter().find(|known| direction_word(*known) == *direction)?;
            FaultKind::Link { place: name(place)?, direction, conditions: read_conditions(conditions)? }
        }
        _ => return None,
    };
    Some(Fault { at, kind })
}

fn name(word: &str) -> Option<String> {
    is_name(word).then(|| word.to_owned())
}

fn with_port(word: &str) -> Option<(String, Option<String>)> {
    match word.split_once(':') {
        None => Some((name(word)?, None)),
        Some((place, port)) => Some((name(place)?, Some(name(port)?))),
    }
}

fn read_conditions(words: &[&str]) -> Option<Conditions> {
    let mut read = Conditions::default();
    for word in words {
        match word.split_once('=') {
            None if *word == "stalled" => read.stalled = true,
            Some(("delay-ms", number)) => read.delay_ms = number.parse().ok()?,
            Some(("jitter-ms", number)) => read.jitter_ms = number.parse().ok()?,
            Some(("bytes-per-second", number)) => read.bytes_per_second = number.parse().ok()?,
            Some(("reset-after", number)) => read.reset_after = Some(number.parse().ok()?),
            _ => return None,
        }
    }
    Some(read)
}
