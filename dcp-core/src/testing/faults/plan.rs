//! A plan: faults in their order, checked. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Fault, FaultKind};
use crate::error::Error;

/// More faults than this are no plan.
pub const FAULTS_MAX: usize = 1_000;
/// A fault later than this is none.
pub const LATEST: Duration = Duration::from_secs(24 * 60 * 60);
const NAME_MAX: usize = 64;

/// Faults in the order in which they are done. Serialised as the line that it prints.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct FaultPlan(Vec<Fault>);

impl FaultPlan {
    /// Puts them in order of time; what is done at the same time stays in the order that is given.
    ///
    /// # Errors
    /// Invalid `bad-fault-plan` if a name is none, a time is no whole millisecond or above [`LATEST`], there are
    /// more than [`FAULTS_MAX`], or the plan contradicts itself: what is paused is paused again, what is dead is
    /// resumed, what was never cut in between is healed twice. How the world is at the beginning is not known:
    /// a plan may begin with a resume.
    pub fn new(mut faults: Vec<Fault>) -> Result<Self, Error> {
        faults.sort_by_key(|fault| fault.at);
        let refuse = |why: String| Err(Error::invalid("bad-fault-plan", why));
        if faults.len() > FAULTS_MAX {
            return refuse(format!("{} faults, at most {FAULTS_MAX}", faults.len()));
        }
        let mut known = Known::default();
        for fault in &faults {
            if fault.at > LATEST || fault.at.subsec_nanos() % 1_000_000 != 0 {
                return refuse(format!("{fault}: no time within {LATEST:?} in whole milliseconds"));
            }
            if let Some(name) = fault.kind.names().into_iter().find(|name| !is_name(name)) {
                return refuse(format!("{fault}: {name:?} is no name"));
            }
            if let Some(why) = known.contradicted(&fault.kind) {
                return refuse(format!("{fault}: {why}"));
            }
        }
        Ok(Self(faults))
    }

    /// These kinds at once, in this order.
    ///
    /// # Errors
    /// As [`FaultPlan::new`].
    pub fn at_once(kinds: impl IntoIterator<Item = FaultKind>) -> Result<Self, Error> {
        Self::new(kinds.into_iter().map(|kind| Fault { at: Duration::ZERO, kind }).collect())
    }

    /// The faults, in order.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.0
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What brings back all that the plan leaves hurt, at once and in the order in which it was hurt.
    #[must_use]
    pub fn undone(&self) -> Self {
        let mut left: Vec<FaultKind> = Vec::new();
        for fault in &self.0 {
            // What one fault takes back is not left, and of several changes of a link one is taken back.
            left.retain(|hurt| hurt.undo().as_ref() != Some(&fault.kind) && !changes_the_same(hurt, &fault.kind));
            if fault.kind.undo().is_some() {
                left.push(fault.kind.clone());
            }
            // The dead are not asleep.
            if let FaultKind::Kill { place } = &fault.kind {
                left.retain(|hurt| !matches!(hurt, FaultKind::Pause { place: paused } if paused == place));
            }
        }
        Self(left.iter().filter_map(FaultKind::undo).map(|kind| Fault { at: Duration::ZERO, kind }).collect())
    }

    /// The plans with one fault less, for who looks for the smallest one that still fails.
    #[must_use]
    pub fn smaller(&self) -> Vec<Self> {
        let without = |at: usize| {
            let mut faults = self.0.clone();
            faults.remove(at);
            Self::new(faults).ok()
        };
        (0..self.0.len()).filter_map(without).collect()
    }

    /// The smallest plan that is found by leaving out one fault after the other and still `fails`.
    #[must_use]
    pub fn smallest(&self, mut fails: impl FnMut(&Self) -> bool) -> Self {
        let mut plan = self.clone();
        while let Some(smaller) = plan.smaller().into_iter().find(&mut fails) {
            plan = smaller;
        }
        plan
    }
}

fn changes_the_same(one: &FaultKind, other: &FaultKind) -> bool {
    let link = |kind: &FaultKind| match kind {
        FaultKind::Link { place, direction, .. } => Some((place.clone(), *direction)),
        _ => None,
    };
    link(one).is_some() && link(one) == link(other)
}

pub(super) fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    (1..=NAME_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

/// How a place's processes are, as far as the plan says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Runs,
    Sleeps,
    Dead,
}

#[derive(Debug, Default)]
struct Known {
    places: BTreeMap<String, State>,
    cut: BTreeMap<(String, String, Option<String>), bool>,
}

impl Known {
    // Takes the fault in; or says why it cannot be.
    fn contradicted(&mut self, kind: &FaultKind) -> Option<&'static str> {
        let (place, from, to) = match kind {
            FaultKind::Pause { place } => (place, State::Runs, State::Sleeps),
            FaultKind::Resume { place } => (place, State::Sleeps, State::Runs),
            FaultKind::Restart { place } => (place, State::Dead, State::Runs),
            FaultKind::Kill { place } => {
                let before = self.places.insert(place.clone(), State::Dead);
                return (before == Some(State::Dead)).then_some("it is dead already");
            }
            FaultKind::Cut { from, to, .. } if from == to => return Some("nothing lies between a place and itself"),
            FaultKind::Cut { from, to, port } | FaultKind::Heal { from, to, port } => {
                let cut = matches!(kind, FaultKind::Cut { .. });
                let before = self.cut.insert((from.clone(), to.clone(), port.clone()), cut);
                return (before == Some(cut)).then_some("it is so already");
            }
            FaultKind::Link { .. } | FaultKind::Reset { .. } => return None,
        };
        match self.places.insert(place.clone(), to) {
            Some(before) if before != from => Some("it is not in the state for it"),
            _ => None,
        }
    }
}
