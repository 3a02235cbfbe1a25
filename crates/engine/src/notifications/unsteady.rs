//! Experiments that come and go: one that was told bad and well again some times within a day is told as unsteady once, and then not
//! before it holds.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{Moment, Stub};

/// An experiment that recipients were told to be unusable for this many times within [`WITHIN`] is unsteady.
pub(super) const UNSTEADY_AFTER: usize = 4;

const WITHIN: Duration = Duration::from_secs(24 * 3600);

/// One that stayed usable, or unusable, for so long is steady again.
const STEADY_AFTER: Duration = Duration::from_secs(2 * 3600);

/// When recipients were told that an experiment is unusable, and how it has been since.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Swings {
    /// Oldest first, at most [`UNSTEADY_AFTER`].
    told: Vec<Moment>,
    /// Whether it is unusable, and since when it is or is not.
    now: Option<(bool, Moment)>,
}

/// The swings of a route's experiments.
#[derive(Debug, Clone, Default)]
pub(super) struct Unsteady(BTreeMap<Stub, Swings>);

impl Unsteady {
    /// Takes up when recipients were told that an experiment is unusable.
    pub(super) fn recall(&mut self, stub: &Stub, told: Vec<Moment>) {
        self.0.insert(stub.clone(), Swings { told, now: None });
    }

    /// Recipients were told that an experiment, which they knew as usable, is not. Returns when they were told so.
    pub(super) fn told(&mut self, stub: &Stub, now: Moment) -> &[Moment] {
        let swings = self.0.entry(stub.clone()).or_default();
        swings.told.retain(|at| now.since(*at) < WITHIN);
        if swings.told.len() < UNSTEADY_AFTER {
            swings.told.push(now);
        }
        &swings.told
    }

    /// Whether a message of now that says that an experiment is unusable makes it unsteady.
    pub(super) fn becomes(&self, stub: &Stub, now: Moment) -> bool {
        let recent = |swings: &Swings| {
            let recent = swings.told.iter().filter(|at| now.since(**at) < WITHIN);
            recent.count() + 1 >= UNSTEADY_AFTER
        };
        !self.is_unsteady(stub) && self.0.get(stub).is_some_and(recent)
    }

    /// Whether it was told as unsteady and has not held since.
    pub(super) fn is_unsteady(&self, stub: &Stub) -> bool {
        self.0
            .get(stub)
            .is_some_and(|swings| swings.told.len() >= UNSTEADY_AFTER)
    }

    /// Takes note of how an unsteady experiment is. Returns when it has held for long enough, if it goes on so.
    pub(super) fn note(&mut self, stub: &Stub, unusable: bool, now: Moment) -> Option<Moment> {
        let swings = self
            .0
            .get_mut(stub)
            .filter(|swings| swings.told.len() >= UNSTEADY_AFTER)?;
        let since = match swings.now {
            Some((was, since)) if was == unusable => since,
            _ => now,
        };
        swings.now = Some((unusable, since));
        Some(since + STEADY_AFTER)
    }

    /// It has held, or it is gone. Returns whether anything was known of it.
    pub(super) fn forget(&mut self, stub: &Stub) -> bool {
        self.0.remove(stub).is_some()
    }

    /// Experiments that are unsteady, or may become so, with when they were told to be unusable.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Stub, &[Moment])> {
        self.0.iter().map(|(stub, swings)| (stub, &swings.told[..]))
    }

    /// Forgets the experiments of which this does not hold.
    pub(super) fn retain(&mut self, mut holds: impl FnMut(&Stub) -> bool) {
        self.0.retain(|stub, _| holds(stub));
    }
}

/// What is said of an experiment that becomes unsteady.
pub(super) fn words() -> String {
    format!(
        "It is unsteady: down for the {UNSTEADY_AFTER}th time within {} h. The next message about it comes when it has held for {} h.",
        WITHIN.as_secs() / 3_600,
        STEADY_AFTER.as_secs() / 3_600
    )
}

/// What is said of one that has held.
pub(super) fn words_steady() -> String {
    format!(
        "It was unsteady and has been steady for {} h.",
        STEADY_AFTER.as_secs() / 3_600
    )
}
