//! Passive checks: components that report themselves instead of being probed, and the self-tests of
//! experiments. The last report counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::model::Gather as _;
use jiff::{SignedDuration, Timestamp};

use super::locked;
use super::registry::{RegisterError, Registry, Reporter, no_report_for};
use super::state::{Finding, State};

/// How long the result of a self-test counts: they are run at least once a day.
pub const SELF_TEST_FRESH: Duration = Duration::from_secs(24 * 3_600);

/// What a report can be about.
pub const REPORT_KINDS: [&str; 2] = ["component", "experiment"];

/// The components that report themselves. A component has one reporter, so it is never probed as
/// well.
#[derive(Default)]
pub struct PassiveChecks {
    components: Mutex<BTreeMap<String, Reported>>,
    /// Components that labwatch probes or evaluates itself.
    others: Mutex<BTreeSet<String>>,
}

struct Reported {
    reporter: Reporter,
    fresh: Duration,
}

/// Why a report is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// There is no such kind.
    #[error("reports about {0:?} are not known, but about {known} are", known = REPORT_KINDS.join(" and "))]
    Kind(String),
    /// No component of this name reports itself.
    #[error(
        "no component {0} reports by itself: write a [[service]] of this name without a url into the configuration"
    )]
    Component(String),
    /// Labwatch evaluates this component itself.
    #[error(
        "labwatch finds out itself how {0} is: to have it report instead, leave out the url of its [[service]]"
    )]
    Asked(String),
    /// There is no such experiment.
    #[error("experiment {0} was not found: neither book nor relay nor jump knows it")]
    Experiment(String),
}

/// The outcome of a report that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Whether it differs from the last report.
    pub changed: bool,
    /// How long it counts.
    pub fresh: Duration,
}

impl PassiveChecks {
    /// Without components, besides those that labwatch has by itself.
    pub fn knowing(own: &[&str]) -> Self {
        Self {
            others: Mutex::new(own.iter().map(|name| (*name).to_owned()).gather()),
            ..Self::default()
        }
    }

    /// Adds a component that is *stale* when no report came for `fresh`.
    ///
    /// # Errors
    /// As [`Registry::register`].
    pub fn add(
        &self,
        registry: &Registry,
        name: &str,
        categories: &[String],
        fresh: Duration,
    ) -> Result<(), RegisterError> {
        let reporter = registry.register(name, Some(fresh), categories)?;
        locked(&self.components).insert(name.to_owned(), Reported { reporter, fresh });
        Ok(())
    }

    /// Changes how long reports about a component count, from the next report on.
    pub fn repace(&self, registry: &Registry, name: &str, fresh: Duration) {
        if let Some(reporter) = registry.take_over(name, Some(fresh)) {
            locked(&self.components).insert(name.to_owned(), Reported { reporter, fresh });
        }
    }

    /// Marks a component as one that labwatch probes or evaluates itself.
    pub fn is_asked(&self, name: &str) {
        locked(&self.others).insert(name.to_owned());
    }

    /// Removes a component, passive or probed.
    pub fn remove(&self, registry: &Registry, name: &str) {
        locked(&self.others).remove(name);
        if locked(&self.components).remove(name).is_some() {
            registry.remove(name);
        }
    }

    /// The names of the components that report themselves.
    pub fn names(&self) -> BTreeSet<String> {
        locked(&self.components).keys().cloned().collect()
    }

    /// Discards the last report about a component: it is *init* again.
    pub fn withdraw(&self, name: &str) {
        if let Some(Reported { reporter, .. }) = locked(&self.components).get(name) {
            reporter.withdraw();
        }
    }

    /// Takes a report about a component.
    ///
    /// # Errors
    /// [`NotTaken`]: the component is unknown, or labwatch evaluates it itself.
    pub fn report(&self, name: &str, finding: Finding) -> Result<Taken, NotTaken> {
        match locked(&self.components).get(name) {
            Some(Reported { reporter, fresh }) => Ok(Taken {
                changed: reporter.report(finding),
                fresh: *fresh,
            }),
            None if locked(&self.others).contains(name) => Err(NotTaken::Asked(name.to_owned())),
            None => Err(NotTaken::Component(name.to_owned())),
        }
    }
}

/// The result of an experiment's self-test, as reported. It is shown as one more check and does not
/// change the evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct SelfTest {
    /// What it found.
    pub finding: Finding,
    /// When it was reported.
    pub at: Timestamp,
}

/// The results of self-tests, by experiment.
pub type SelfTests = BTreeMap<String, SelfTest>;

impl SelfTest {
    /// The finding that counts now: an old result counts no more.
    pub fn finding(&self, now: Timestamp) -> Finding {
        let age = now.duration_since(self.at);
        let limit = SignedDuration::try_from(SELF_TEST_FRESH).unwrap_or(SignedDuration::MAX);
        if age > limit {
            Finding::new(State::Stale, no_report_for(age.unsigned_abs()))
        } else {
            self.finding.clone()
        }
    }
}

/// Stores the result of a self-test and returns whether it differs from the last. Drops the results
/// of experiments that `is_known` no longer accepts.
pub(super) fn take(
    tests: &mut Arc<SelfTests>,
    name: &str,
    test: SelfTest,
    is_known: impl Fn(&str) -> bool,
) -> bool {
    let tests = Arc::make_mut(tests);
    tests.retain(|name, _| is_known(name));
    let changed = tests
        .get(name)
        .is_none_or(|last| last.finding != test.finding);
    tests.insert(name.to_owned(), test);
    changed
}
