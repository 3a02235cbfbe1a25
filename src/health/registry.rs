//! The registry of components, which are reported by push or by a probe. A component has one
//! reporter, so never both.
//!
//! The lock is held to copy a few values and never while anything is checked or read elsewhere.

mod follow;

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;

pub use follow::FitnessChange;

use super::locked;
use super::state::{Component, Finding, PastResult, Results, State};
use engine::model::Gather as _;
use engine::model::{Moment, format_duration};

/// The most components: each is shown in every answer.
pub const MAX_COMPONENTS: usize = 256;

/// How many results of a component are kept.
pub const MAX_RESULTS: usize = 60;

/// How many checks of a component wait to be taken; the oldest are dropped first.
const MAX_CHECKS: usize = 60;

/// How much of a detail is kept in past results, in characters.
const MAX_DETAIL_CHARS: usize = 300;

/// Returns the current time.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// Why a component cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// There is one of this name.
    #[error("there are two components of the name {0}: give one of them another")]
    Duplicate(String),
    /// The name does not fit into a path: letters, digits, `.`, `_` and `-` do.
    #[error(
        "{0:?} cannot be a component's name: use letters, digits, dots, underscores and dashes"
    )]
    Name(String),
    /// There are [`MAX_COMPONENTS`].
    #[error("there are more than {max_components} components", max_components = MAX_COMPONENTS)]
    TooMany,
}

/// All components that are reported. Clones share one registry.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    clock: Clock,
    entries: Mutex<BTreeMap<Arc<str>, Entry>>,
    /// How often the state or detail of a component has changed, or a component came or went.
    changes: watch::Sender<u64>,
}

struct Entry {
    finding: Finding,
    /// Whether it failed since it was last followed: a short failure counts although it is over.
    has_failed: bool,
    changed: Moment,
    updated: Option<Moment>,
    stale_after: Option<Duration>,
    categories: Arc<[String]>,
    results: Arc<Results>,
    checks: VecDeque<(Timestamp, bool)>,
}

/// Reports one component. There is one reporter for each.
pub struct Reporter {
    name: Arc<str>,
    /// How long a report counts.
    stale_after: Option<Duration>,
    registry: Registry,
}

impl Registry {
    /// A registry without components.
    pub fn new(clock: Clock) -> Self {
        Self(Arc::new(Inner {
            clock,
            entries: Mutex::default(),
            changes: watch::Sender::new(0),
        }))
    }

    /// A registry that uses the system's clock.
    pub fn on_system_clock() -> Self {
        let begun = Instant::now();
        Self::new(Arc::new(move || {
            Moment::new(Timestamp::now(), begun.elapsed())
        }))
    }

    /// Adds a component, which is *init* until its first report. From then on it is *stale* when no
    /// report came for `stale_after`; `None` for one that reports only changes. One without
    /// `categories` is a part of the program, whose failure makes the whole fail unless the
    /// settings say otherwise; one with categories is an outside service, which counts in those
    /// alone.
    ///
    /// # Errors
    /// [`RegisterError`]: the name is taken or does not fit into a path, or there are too many.
    pub fn register(
        &self,
        name: &str,
        stale_after: Option<Duration>,
        categories: &[String],
    ) -> Result<Reporter, RegisterError> {
        if !is_path_part(name) {
            return Err(RegisterError::Name(name.to_owned()));
        }
        let changed = (self.0.clock)();
        let mut entries = self.entries();
        if entries.len() >= MAX_COMPONENTS {
            return Err(RegisterError::TooMany);
        }
        let name: Arc<str> = Arc::from(name);
        match entries.entry(Arc::clone(&name)) {
            Slot::Occupied(_) => Err(RegisterError::Duplicate(name.to_string())),
            Slot::Vacant(slot) => {
                let finding = Finding::new(State::Init, "starting");
                slot.insert(Entry {
                    finding,
                    has_failed: false,
                    changed,
                    updated: None,
                    stale_after,
                    categories: categories.into(),
                    results: Arc::default(),
                    checks: VecDeque::new(),
                });
                drop(entries);
                self.note_change();
                Ok(Reporter {
                    name,
                    stale_after,
                    registry: self.clone(),
                })
            }
        }
    }

    /// A new reporter for a component, which replaces the previous one; `None` when there is none
    /// of this name. The state and results stay, and the last report counts at least as long as
    /// before.
    pub(super) fn take_over(&self, name: &str, stale_after: Option<Duration>) -> Option<Reporter> {
        let mut entries = self.entries();
        let name = Arc::clone(entries.get_key_value(name)?.0);
        let entry = entries.get_mut(&name)?;
        let both = entry.stale_after.zip(stale_after);
        entry.stale_after = both.map(|(before, now)| before.max(now));
        Some(Reporter {
            name,
            stale_after,
            registry: self.clone(),
        })
    }

    pub(super) fn clock(&self) -> Clock {
        Arc::clone(&self.0.clock)
    }

    /// Removes a component. Later reports of its reporter are discarded.
    pub fn remove(&self, name: &str) {
        if self.entries().remove(name).is_some() {
            self.note_change();
        }
    }

    /// Restores the results of a component from before a restart.
    pub fn remember(&self, name: &str, results: Results) {
        if let Some(entry) = self.entries().get_mut(name)
            && entry.results.is_empty()
        {
            entry.results = Arc::new(results);
        }
    }

    /// The latest results of a component; `None` when there is none of this name.
    pub fn results(&self, name: &str) -> Option<Arc<Results>> {
        self.entries()
            .get(name)
            .map(|entry| Arc::clone(&entry.results))
    }

    /// All reports of all components since the last call, with their times; also those that repeat
    /// the previous one.
    pub fn take_checks(&self) -> BTreeMap<Arc<str>, VecDeque<(Timestamp, bool)>> {
        let mut entries = self.entries();
        let take = |(name, entry): (&Arc<str>, &mut Entry)| {
            (Arc::clone(name), std::mem::take(&mut entry.checks))
        };
        entries.iter_mut().map(take).gather()
    }

    /// Notifies whenever a component comes, goes, or changes its state or detail.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    fn note_change(&self) {
        self.0.changes.send_modify(|count| *count += 1);
    }

    /// All components as they are now, sorted by name.
    pub fn components(&self) -> Vec<Component> {
        let now = (self.0.clock)();
        self.entries()
            .iter()
            .map(|(name, entry)| entry.component(name, now))
            .collect()
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Entry>> {
        locked(&self.0.entries)
    }
}

impl Entry {
    /// How long no report came, where that exceeds the limit, and the limit.
    fn overdue(&self, now: Moment) -> Option<(Duration, Duration)> {
        let silent = self.updated.map(|updated| now.since(updated));
        silent
            .zip(self.stale_after)
            .filter(|(silent, limit)| silent > limit)
    }

    fn component(&self, name: &Arc<str>, now: Moment) -> Component {
        let overdue = self.overdue(now);
        let finding = match overdue {
            Some((silent, _)) => Finding::new(State::Stale, no_report_for(silent)),
            None => self.finding.clone(),
        };
        let changed = match (overdue, self.updated) {
            (Some((_, limit)), Some(updated)) => updated + limit,
            _ => self.changed,
        };
        Component {
            name: Arc::clone(name),
            finding,
            last_change: changed.wall(),
            last_update: self.updated.map(Moment::wall),
            categories: Arc::clone(&self.categories),
            results: Arc::clone(&self.results),
        }
    }
}

impl Reporter {
    /// The component's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes a finding and returns whether the state or detail changed; only a change is logged. A
    /// repeated finding only renews the evidence.
    pub fn report(&self, finding: Finding) -> bool {
        let now = (self.registry.0.clock)();
        let was = {
            let mut entries = self.registry.entries();
            // A component of this name may have come after this one went.
            let known = entries.get_key_value(&self.name);
            if !known.is_some_and(|(known, _)| Arc::ptr_eq(known, &self.name)) {
                return false;
            }
            let Some(entry) = entries.get_mut(&self.name) else {
                return false;
            };
            entry.updated = Some(now);
            entry.stale_after = self.stale_after;
            if entry.checks.len() >= MAX_CHECKS {
                entry.checks.pop_front();
            }
            entry.checks.push_back((now.wall(), finding.state.is_ok()));
            if (entry.finding.state, &entry.finding.detail) == (finding.state, &finding.detail) {
                entry.finding = finding;
                return false;
            }
            entry.changed = now;
            entry.has_failed |= finding.state == State::Error;
            keep(&mut entry.results, now.wall(), &finding);
            std::mem::replace(&mut entry.finding, finding.clone()).state
        };
        self.note(&finding, was);
        self.registry.note_change();
        true
    }

    /// Discards the last report: the component is *init* until the next.
    pub fn withdraw(&self) {
        let now = (self.registry.0.clock)();
        if let Some(entry) = self.registry.entries().get_mut(&self.name) {
            entry.finding = Finding::new(State::Init, "the last report was withdrawn");
            (entry.changed, entry.updated) = (now, None);
        }
        tracing::info!(component = %self.name, "withdrew the report of a component");
    }

    fn note(&self, finding: &Finding, was: State) {
        let (component, state, was, detail) = (
            &self.name,
            finding.state.as_str(),
            was.as_str(),
            &finding.detail,
        );
        if finding.state.is_ok() {
            tracing::info!(%component, state, was, detail, "{component} is {state}");
        } else {
            tracing::warn!(%component, state, was, detail, "{component} is {state}: {detail}");
        }
    }
}

/// Adds a result to the latest ones, of which there are at most [`MAX_RESULTS`].
fn keep(results: &mut Arc<Results>, at: Timestamp, finding: &Finding) {
    let results = Arc::make_mut(results);
    if results.len() >= MAX_RESULTS {
        results.pop_front();
    }
    results.push_back(PastResult {
        at,
        state: finding.state,
        detail: finding.detail.chars().take(MAX_DETAIL_CHARS).collect(),
    });
}

/// Whether a name can be one part of a path.
pub fn is_path_part(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    !name.is_empty() && name.bytes().all(fits)
}

/// The detail of a component that has not reported for this long.
pub(super) fn no_report_for(silent: Duration) -> String {
    format!(
        "no report for {}",
        format_duration(Duration::from_secs(silent.as_secs()))
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::Hands;
    use super::*;

    #[test]
    fn every_check_is_reported_once_with_its_time() {
        let hands = Hands::default();
        let registry = Registry::new(hands.clock());
        let store = registry.register("store", None, &[]).expect("free");
        for finding in [Finding::ok(), Finding::ok(), Finding::error("full")] {
            hands.pass(10);
            store.report(finding);
        }
        let taken = || -> Vec<(i64, bool)> {
            let mut all = registry.take_checks();
            let checks = all.remove("store").expect("is known");
            checks
                .iter()
                .map(|(at, ok)| (at.as_second(), *ok))
                .collect()
        };
        assert_eq!(taken(), [(10, true), (20, true), (30, false)]);
        assert!(taken().is_empty(), "once");
        for _ in 0..MAX_CHECKS + 5 {
            hands.pass(1);
            store.report(Finding::ok());
        }
        let kept = taken();
        assert_eq!((kept.len(), kept[0].0), (MAX_CHECKS, 36), "the newest");
    }

    #[test]
    fn a_name_is_taken_once_and_fits_into_a_path() {
        let registry = Registry::new(Hands::default().clock());
        let _store = registry.register("store", None, &[]).expect("free");
        assert_eq!(
            registry.register("store", None, &[]).err(),
            Some(RegisterError::Duplicate("store".into()))
        );
        for bad in ["", "a/b", "a b", "\u{e9}"] {
            assert_eq!(
                registry.register(bad, None, &[]).err(),
                Some(RegisterError::Name(bad.into()))
            );
        }
        for n in 1..MAX_COMPONENTS {
            registry
                .register(&format!("c{n}"), None, &[])
                .expect("free");
        }
        assert_eq!(
            registry.register("more", None, &[]).err(),
            Some(RegisterError::TooMany)
        );
    }

    #[test]
    fn the_latest_results_are_remembered_and_what_is_removed_is_gone() {
        let hands = Hands::default();
        let registry = Registry::new(hands.clock());
        let web = registry.register("web", None, &[]).expect("free");
        let mut changes = registry.changes();
        for second in 0..100 {
            hands.pass(1);
            web.report(Finding::error(format!("failure {second}")));
            web.report(Finding::error(format!("failure {second}")));
        }
        assert!(changes.has_changed().expect("there is a registry"));
        let results = registry.results("web").expect("is known");
        assert_eq!(results.len(), MAX_RESULTS, "the same again is no result");
        let ends = [results.front(), results.back()];
        assert_eq!(
            ends.map(|end| end.map(|one| (one.at.as_second(), one.detail.clone()))),
            [
                Some((41, "failure 40".to_owned())),
                Some((100, "failure 99".to_owned()))
            ]
        );
        changes.mark_unchanged();
        registry.remove("web");
        assert!(changes.has_changed().expect("there is a registry"));
        assert!(!web.report(Finding::ok()) && registry.components().is_empty());
        let _again = registry.register("web", None, &[]).expect("free again");
        assert!(!web.report(Finding::ok()), "it is not this one's reporter");
        registry.remember("web", (*results).clone());
        assert_eq!(registry.results("web"), Some(results));
    }

    #[test]
    fn a_component_is_init_then_what_is_reported_then_stale() {
        let hands = Hands::default();
        let registry = Registry::new(hands.clock());
        let store = registry
            .register("store", Some(Duration::from_secs(30)), &[])
            .expect("free");
        let seen = || {
            let all = registry.components();
            let [one] = all.as_slice() else {
                panic!("{all:?}")
            };
            (
                one.state(),
                one.detail().to_owned(),
                one.last_change.as_second(),
                one.last_update.map(Timestamp::as_second),
            )
        };
        assert_eq!(seen(), (State::Init, "starting".into(), 0, None));
        hands.pass(100);
        assert_eq!(seen().0, State::Init, "what never reported is not stale");
        assert!(store.report(Finding::ok()));
        hands.pass(30);
        assert!(!store.report(Finding::ok()), "the same again is no change");
        assert_eq!(seen(), (State::Ok, String::new(), 100, Some(130)));
        hands.pass(42);
        assert_eq!(
            seen(),
            (State::Stale, "no report for 42s".into(), 160, Some(130))
        );
        assert!(store.report(Finding::error("disk full")));
        assert_eq!(seen(), (State::Error, "disk full".into(), 172, Some(172)));
    }
}
