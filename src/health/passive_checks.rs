//! What others report by themselves: components that are not probed, and the self-tests of
//! experiments. The last report counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::model::Gather as _;
use jiff::{SignedDuration, Timestamp};

use super::locked;
use super::registry::{RegisterError, Registry, Reporter, no_report_for};
use super::state::{Finding, State};

/// How long the result of a self-test tells something: they are run once a day or more often.
pub const SELF_TEST_FRESH: Duration = Duration::from_secs(24 * 3_600);

/// What a report can be about.
pub const REPORT_KINDS: [&str; 2] = ["component", "experiment"];

/// The components that report by themselves. They are not probed: a component has one reporter, so
/// never both.
#[derive(Default)]
pub struct PassiveChecks {
    components: Mutex<BTreeMap<String, Reported>>,
    /// Those that labwatch probes or knows itself.
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
    /// No component of this name reports by itself.
    #[error(
        "no component {0} reports by itself: write a [[service]] of this name without a url into the configuration"
    )]
    Component(String),
    /// Labwatch finds out itself how this component is.
    #[error(
        "labwatch finds out itself how {0} is: to have it report instead, leave out the url of its [[service]]"
    )]
    Asked(String),
    /// There is no such experiment.
    #[error("experiment {0} was not found: neither book nor relay nor jump knows it")]
    Experiment(String),
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Whether it says something else than the last.
    pub changed: bool,
    /// For how long it tells something.
    pub fresh: Duration,
}

impl PassiveChecks {
    /// No component yet, besides those that labwatch has by itself.
    pub fn knowing(own: &[&str]) -> Self {
        Self {
            others: Mutex::new(own.iter().map(|name| (*name).to_owned()).gather()),
            ..Self::default()
        }
    }

    /// Takes in a component that is *stale* when no report came for `fresh`.
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

    /// Has the reports about a component count for another time from the next one on.
    pub fn repace(&self, registry: &Registry, name: &str, fresh: Duration) {
        if let Some(reporter) = registry.take_over(name, Some(fresh)) {
            locked(&self.components).insert(name.to_owned(), Reported { reporter, fresh });
        }
    }

    /// Takes note of a component that labwatch probes or knows itself.
    pub fn is_asked(&self, name: &str) {
        locked(&self.others).insert(name.to_owned());
    }

    /// Lets go of a component, however it is found out how it is.
    pub fn remove(&self, registry: &Registry, name: &str) {
        locked(&self.others).remove(name);
        if locked(&self.components).remove(name).is_some() {
            registry.remove(name);
        }
    }

    /// The components that report by themselves.
    pub fn names(&self) -> BTreeSet<String> {
        locked(&self.components).keys().cloned().collect()
    }

    /// Forgets the last report about a component: it is *init* again.
    pub fn withdraw(&self, name: &str) {
        if let Some(Reported { reporter, .. }) = locked(&self.components).get(name) {
            reporter.withdraw();
        }
    }

    /// Takes a report about a component.
    ///
    /// # Errors
    /// [`NotTaken`]: it is not known, or asked.
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

/// The result of an experiment's test of itself, as it reported it. It is shown as one more check,
/// and changes no judgement.
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
    /// What is known now: an old result says nothing.
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

/// Takes in the result of a self-test, and says whether it is other than the last. Results of
/// experiments that `is_known` does not know any more go.
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
