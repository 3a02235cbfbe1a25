//! Unsteady experiments: one that was notified as bad and ok again several times within a day is
//! notified as unsteady once, and then not before it is stable. A route counts unusable periods and
//! losses separately.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{Moment, Stub};
use crate::protocol::{Notified, Steadiness};

/// An experiment that was notified as unusable this many times within [`WITHIN`] is unsteady.
pub(super) const UNSTEADY_AFTER: usize = 4;

const WITHIN: Duration = Duration::from_secs(24 * 3600);

/// The most changes of an experiment that are counted.
const MAX_COUNTED: usize = 100;

/// When an experiment was notified as unusable, and its state since.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Swings {
    /// When it became unusable, oldest first: as notified, and while it is unsteady as observed.
    down: Vec<Moment>,
    /// Whether it is unusable, and since when it is or is not.
    now: Option<(bool, Moment)>,
}

impl Swings {
    fn is_unsteady(&self) -> bool {
        self.down.len() >= UNSTEADY_AFTER
    }

    /// Notes that it is unusable. What is long ago no longer counts, but it stays unsteady.
    fn push(&mut self, now: Moment) {
        let old = self.down.iter().take_while(|at| now.since(**at) >= WITHIN);
        let old = old
            .count()
            .min(self.down.len().saturating_sub(UNSTEADY_AFTER - 1));
        let surplus = (self.down.len() + 1).saturating_sub(MAX_COUNTED);
        self.down.drain(..old.max(surplus));
        self.down.push(now);
    }
}

/// The state changes of a route's experiments.
#[derive(Debug, Clone, Default)]
pub(super) struct Unsteady(BTreeMap<Stub, Swings>);

impl Unsteady {
    /// Restores when an experiment became unusable.
    pub(super) fn recall(&mut self, stub: &Stub, down: Vec<Moment>) {
        self.0.insert(stub.clone(), Swings { down, now: None });
    }

    /// Notes that an experiment was notified as unusable, after it was notified as usable. Returns
    /// when that happened.
    pub(super) fn note_notified(&mut self, stub: &Stub, now: Moment) -> &[Moment] {
        let swings = self.0.entry(stub.clone()).or_default();
        swings.down.retain(|at| now.since(*at) < WITHIN);
        swings.push(now);
        swings.now = Some((true, now)).filter(|_| swings.is_unsteady());
        &swings.down
    }

    /// How often it was unusable, if notifying that now makes it unsteady.
    pub(super) fn becomes(&self, stub: &Stub, now: Moment) -> Option<u32> {
        let swings = self.0.get(stub).filter(|swings| !swings.is_unsteady())?;
        let recent = swings.down.iter().filter(|at| now.since(**at) < WITHIN);
        let times = recent.count() + 1;
        (times >= UNSTEADY_AFTER).then(|| times.try_into().unwrap_or(u32::MAX))
    }

    /// Whether it was notified as unsteady and has not become stable since.
    pub(super) fn is_unsteady(&self, stub: &Stub) -> bool {
        self.0.get(stub).is_some_and(Swings::is_unsteady)
    }

    /// How often an unsteady experiment was unusable within a day; `None` where it is stable.
    pub(super) fn times(&self, stub: &Stub) -> Option<u32> {
        let swings = self.0.get(stub).filter(|swings| swings.is_unsteady())?;
        Some(swings.down.len().try_into().unwrap_or(u32::MAX))
    }

    /// Notes the state of an unsteady experiment. Returns when it will be stable, if it goes on so.
    pub(super) fn note(&mut self, stub: &Stub, unusable: bool, now: Moment) -> Option<Moment> {
        let swings = self.0.get_mut(stub).filter(|swings| swings.is_unsteady())?;
        let since = match swings.now {
            Some((was, since)) if was == unusable => since,
            _ => now,
        };
        let was_usable = swings.now.is_some_and(|(was, _)| !was);
        if unusable && was_usable {
            swings.push(now);
        }
        swings.now = Some((unusable, since));
        Some(since + Steadiness::HOLDS_AFTER)
    }

    /// Removes an experiment that is stable or gone. Returns whether anything was known of it.
    pub(super) fn forget(&mut self, stub: &Stub) -> bool {
        self.0.remove(stub).is_some()
    }

    /// Experiments that are unsteady, or may become so, with when they became unusable.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Stub, &[Moment])> {
        self.0.iter().map(|(stub, swings)| (stub, &swings.down[..]))
    }

    /// The entry to store for an experiment.
    pub(super) fn all_of(&self, stub: &Stub) -> Option<Notified> {
        let down = self.0.get(stub)?.down.iter().map(|at| at.wall());
        Some(Notified::Unsteady(stub.clone(), down.collect()))
    }

    /// Removes the experiments for which this is false.
    pub(super) fn retain(&mut self, mut holds: impl FnMut(&Stub) -> bool) {
        self.0.retain(|stub, _| holds(stub));
    }
}
