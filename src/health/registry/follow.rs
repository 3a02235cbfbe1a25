//! What of components the engine is told: how each is, and what is wrong with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::{Entry, Registry};
use crate::health::state::State;
use engine::model::{Moment, format_duration};
use engine::{ComponentHealth, Fitness};

/// How often it is looked whether a component has become stale.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What of the components changed for the categories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FitnessChange {
    /// A component is so now.
    Is(ComponentHealth),
    /// A component was let go.
    Gone(Arc<str>),
}

impl Registry {
    /// Hands how each component is to `tell`, at first and whenever that changes, until `tell` says
    /// that it is not needed any more.
    pub async fn follow<F: Future<Output = bool>>(&self, tell: impl Fn(FitnessChange) -> F) {
        let (mut known, mut changed) = (BTreeMap::new(), self.changes());
        loop {
            changed.borrow_and_update();
            for change in self.fitness_changes(&mut known) {
                if !tell(change).await {
                    return;
                }
            }
            // A component becomes stale without a report.
            drop(timeout(LOOK_EVERY, changed.changed()).await);
        }
    }

    /// What changed against what is known, a failure that is over included.
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
    /// How it is for the engine. How long nothing came is left out: it changes all the time.
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

/// What a state says to the categories: what is not known is no fault.
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
    fn the_engine_is_told_what_is_wrong_and_not_for_how_long() {
        let hands = Hands::default();
        let registry = Registry::new(hands.clock());
        let limit = Some(Duration::from_secs(60));
        let door = registry.register("door", limit, &[]).expect("free");
        let mut known = BTreeMap::new();
        let mut told = || {
            let changes = registry.fitness_changes(&mut known);
            let words = |change| match change {
                FitnessChange::Is(it) => format!("{:?} {:?}", it.fitness, it.problem),
                FitnessChange::Gone(_) => "gone".to_owned(),
            };
            changes.into_iter().map(words).collect::<Vec<_>>()
        };
        assert_eq!(told(), ["Unknown None"]);
        door.report(Finding::error("it sticks"));
        assert_eq!(told(), [r#"Fails Some("it sticks")"#]);
        door.report(Finding::error(""));
        assert_eq!(told(), [r#"Fails Some("it gives no reason")"#]);
        door.report(Finding::new(State::Stale, "it cannot be reached"));
        assert_eq!(told(), [r#"Unknown Some("it cannot be reached")"#]);
        door.report(Finding::ok());
        door.report(Finding::error("it sticks"));
        door.report(Finding::new(State::Warn, "it creaks"));
        assert_eq!(
            told(),
            [r#"Fails Some("it failed for a moment")"#, "Works None"]
        );
        hands.pass(61);
        assert_eq!(told(), [r#"Unknown Some("no report for more than 1m0s")"#]);
        hands.pass(61);
        assert_eq!(told(), [""; 0]);
        registry.remove("door");
        assert_eq!(told(), ["gone"]);
    }

    #[test]
    fn a_failure_that_is_over_is_told_too() {
        let registry = Registry::new(Hands::default().clock());
        let door = registry.register("door", None, &[]).expect("free");
        let mut known = BTreeMap::new();
        let mut told = || -> Vec<Fitness> {
            let changes = registry.fitness_changes(&mut known).into_iter();
            let fitness = |change| match change {
                FitnessChange::Is(component) => Some(component.fitness),
                FitnessChange::Gone(_) => None,
            };
            changes.filter_map(fitness).collect()
        };
        assert_eq!(told(), [Fitness::Unknown]);
        door.report(Finding::ok());
        assert_eq!(told(), [Fitness::Works]);
        door.report(Finding::error("open"));
        door.report(Finding::ok());
        assert_eq!(told(), [Fitness::Fails, Fitness::Works]);
        assert_eq!(told(), []);
        door.report(Finding::error("open"));
        assert_eq!(told(), [Fitness::Fails]);
        door.report(Finding::error("still open"));
        assert_eq!(told(), [Fitness::Fails], "what is wrong has changed");
        door.report(Finding::error("still open"));
        assert_eq!(told(), []);
    }
}
