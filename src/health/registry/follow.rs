//! Reports the health of components to the engine: their states and problems.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::{Entry, Registry};
use crate::health::state::State;
use engine::model::{Moment, format_duration};
use engine::{ComponentHealth, Fitness};

/// The longest time between two looks for components that have become stale.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A change of a component that matters to the categories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FitnessChange {
    /// The component's health is now this.
    Is(ComponentHealth),
    /// The component was removed.
    Gone(Arc<str>),
}

impl Registry {
    /// Passes the health of each component to `report`, at first and whenever it changes, until
    /// `report` returns that no more is needed.
    pub async fn follow<F: Future<Output = bool>>(&self, report: impl Fn(FitnessChange) -> F) {
        let (mut known, mut changed) = (BTreeMap::new(), self.changes());
        loop {
            changed.borrow_and_update();
            for change in self.fitness_changes(&mut known) {
                if !report(change).await {
                    return;
                }
            }
            // A component becomes stale without a report.
            drop(timeout(LOOK_EVERY, changed.changed()).await);
        }
    }

    /// The changes since what is known, including a failure that is over already.
    fn fitness_changes(
        &self,
        known: &mut BTreeMap<Arc<str>, ComponentHealth>,
    ) -> Vec<FitnessChange> {
        let now = (self.0.clock)();
        let (mut changes, mut entries) = (Vec::new(), self.entries());
        known.retain(|name, _| {
            let stays = entries.contains_key(name);
            if !stays {
                changes.push(FitnessChange::Gone(Arc::clone(name)));
            }
            stays
        });
        for (name, entry) in entries.iter_mut() {
            let health = entry.health(name, now);
            let has_failed = std::mem::take(&mut entry.has_failed);
            let blip = (has_failed && health.fitness != Fitness::Fails).then(|| ComponentHealth {
                fitness: Fitness::Fails,
                problem: Some(Arc::from("it failed for a moment")),
                ..health.clone()
            });
            for health in blip.into_iter().chain([health]) {
                if known.get(name) != Some(&health) {
                    known.insert(Arc::clone(name), health.clone());
                    changes.push(FitnessChange::Is(health));
                }
            }
        }
        changes
    }
}

impl Entry {
    /// The component's health for the engine, without the age of its last report, which changes all
    /// the time.
    fn health(&self, name: &Arc<str>, now: Moment) -> ComponentHealth {
        let (finding, limit) = (&self.finding, self.stale_after);
        let is_overdue = self.overdue(now).is_some();
        let state = if is_overdue {
            State::Stale
        } else {
            finding.state
        };
        let problem = match state {
            State::Ok | State::Warn | State::Init => None,
            State::Stale if is_overdue => limit.map(|limit| {
                let limit = format_duration(Duration::from_secs(limit.as_secs().max(1)));
                Arc::from(format!("no report for more than {limit}"))
            }),
            State::Stale | State::Error => Some(Arc::from(match finding.detail.as_str() {
                "" => "it gives no reason",
                detail => detail,
            })),
        };
        ComponentHealth {
            name: Arc::clone(name),
            fitness: fitness(state),
            categories: Arc::clone(&self.categories),
            problem,
        }
    }
}

/// How a state counts in categories: an unknown one is no failure.
fn fitness(state: State) -> Fitness {
    match state {
        State::Ok | State::Warn => Fitness::Works,
        State::Init | State::Stale => Fitness::Unknown,
        State::Error => Fitness::Fails,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::state::Finding;
    use crate::health::testing::Hands;

    #[test]
    fn the_engine_receives_the_problem_and_not_its_age() {
        let hands = Hands::default();
        let registry = Registry::new(hands.clock());
        let limit = Some(Duration::from_secs(60));
        let door = registry.register("door", limit, &[]).expect("free");
        let mut known = BTreeMap::new();
        let mut changes = || {
            let changes = registry.fitness_changes(&mut known);
            let words = |change| match change {
                FitnessChange::Is(it) => format!("{:?} {:?}", it.fitness, it.problem),
                FitnessChange::Gone(_) => "gone".to_owned(),
            };
            changes.into_iter().map(words).collect::<Vec<_>>()
        };
        assert_eq!(changes(), ["Unknown None"]);
        door.report(Finding::error("it sticks"));
        assert_eq!(changes(), [r#"Fails Some("it sticks")"#]);
        door.report(Finding::error(""));
        assert_eq!(changes(), [r#"Fails Some("it gives no reason")"#]);
        door.report(Finding::new(State::Stale, "it cannot be reached"));
        assert_eq!(changes(), [r#"Unknown Some("it cannot be reached")"#]);
        door.report(Finding::ok());
        door.report(Finding::error("it sticks"));
        door.report(Finding::new(State::Warn, "it creaks"));
        assert_eq!(
            changes(),
            [r#"Fails Some("it failed for a moment")"#, "Works None"]
        );
        hands.pass(61);
        assert_eq!(
            changes(),
            [r#"Unknown Some("no report for more than 1m0s")"#]
        );
        hands.pass(61);
        assert_eq!(changes(), [""; 0]);
        registry.remove("door");
        assert_eq!(changes(), ["gone"]);
    }

    #[test]
    fn a_failure_that_is_over_is_reported_too() {
        let registry = Registry::new(Hands::default().clock());
        let door = registry.register("door", None, &[]).expect("free");
        let mut known = BTreeMap::new();
        let mut changes = || -> Vec<Fitness> {
            let changes = registry.fitness_changes(&mut known).into_iter();
            let fitness = |change| match change {
                FitnessChange::Is(component) => Some(component.fitness),
                FitnessChange::Gone(_) => None,
            };
            changes.filter_map(fitness).collect()
        };
        assert_eq!(changes(), [Fitness::Unknown]);
        door.report(Finding::ok());
        assert_eq!(changes(), [Fitness::Works]);
        door.report(Finding::error("open"));
        door.report(Finding::ok());
        assert_eq!(changes(), [Fitness::Fails, Fitness::Works]);
        assert_eq!(changes(), []);
        door.report(Finding::error("open"));
        assert_eq!(changes(), [Fitness::Fails]);
        door.report(Finding::error("still open"));
        assert_eq!(changes(), [Fitness::Fails], "what is wrong has changed");
        door.report(Finding::error("still open"));
        assert_eq!(changes(), []);
    }
}
