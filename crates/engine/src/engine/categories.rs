//! Evaluation of sticky categories on every step, from the engine's own state and the reported
//! health of other components.

use std::collections::BTreeMap;

use super::Engine;
use crate::experiments::experiment::Experiment;
use crate::groups::category::{Kind, Member};
use crate::model::{Bookable, ComponentName, Health, Moment, SourceHealth, SourceName, Stub};
use crate::protocol::{CategoryState, ComponentHealth, Fitness, Link, Record, Role, Step};
use crate::sources::source::Source;
use crate::suppressions::SuppressionLookup;

impl Engine {
    /// Applies a component's reported health.
    pub(super) fn component(&mut self, component: ComponentHealth, now: Moment) {
        let is_new = !self.groups.components.contains_key(&component.name);
        self.groups.component(component, now);
        if is_new {
            self.acknowledge_by_policy();
        }
    }

    /// Removes a component that is no longer watched.
    pub(super) fn component_gone(&mut self, name: &str) {
        self.groups.component_gone(name);
        self.acknowledge_by_policy();
    }

    /// Closes the sticky categories that have failed often enough. A follower closes none, and none
    /// is closed during start-up, before the state of experiments and sources is known.
    pub(super) fn evaluate_categories(&mut self, step: &mut Step) {
        self.groups.has_started = self.groups.has_started || self.is_start_over();
        let may_close = self.groups.has_started && self.role == Role::Leader;
        if !may_close || !self.groups.categories.is_due(self.now) {
            return;
        }
        let own = self.own_components();
        let lookup = self
            .suppressions
            .lookup(&self.experiments.fleet, self.now.wall());
        let own_members = own.iter();
        let own_members =
            own_members.map(|(name, fitness)| self.component_member(name, *fitness, &[]));
        let reported = self.groups.components.values().map(|known| &known.health);
        let reported = reported.filter(|component| !own.contains_key(&*component.name));
        let reported =
            reported.map(|one| self.component_member(&one.name, one.fitness, &one.categories));
        let experiments = self.experiments.fleet.experiments();
        let experiments = experiments.map(|one| self.experiment_member(one, &lookup));
        let members = own_members.chain(reported).chain(experiments);
        let mut members: Vec<Member<'_>> = members.collect();
        members.sort_by(|a, b| a.name.cmp(b.name));
        let mut categories = self.groups.categories.clone();
        let changed = categories.evaluate(&members, self.now);
        self.groups.categories = categories;
        for (name, state) in changed {
            self.reconsider_quarantined(state.quarantined.iter().cloned());
            step.record(Record::Category {
                name,
                state: Box::new(state),
            });
        }
    }

    /// Opens or closes a category on a maintainer's command.
    pub(super) fn set_category(
        &mut self,
        name: String,
        state: CategoryState,
        step: &mut Vec<Record>,
    ) {
        let released = self.groups.categories.set(&name, state.clone());
        self.reconsider_quarantined(released);
        step.push(Record::Category {
            name,
            state: Box::new(state),
        });
    }

    /// Checks the switches of experiments that are or were quarantined.
    pub(super) fn reconsider_quarantined(&mut self, stubs: impl IntoIterator<Item = Stub>) {
        for stub in stubs {
            if let Some(experiment) = self.experiments.fleet.named(stub.as_str()) {
                self.switching.resources.reconsider(&experiment.resources);
            }
        }
    }

    /// The start is over once every source has reported or failed to and every experiment is
    /// evaluated, at the latest after the grace.
    fn is_start_over(&self) -> bool {
        let has_reported =
            |name: &SourceName| self.sources.get(*name).health != SourceHealth::Starting;
        let is_known = |experiment: &Experiment| experiment.health != Health::Unknown;
        let mut experiments = self.experiments.fleet.experiments();
        self.now.since(self.started) >= self.policy.startup
            || (SourceName::ALL.iter().all(has_reported) && experiments.all(is_known))
    }

    /// The components whose health the engine knows itself. For mail, the worse of the delivery
    /// state and the probe's result counts.
    fn own_components(&self) -> BTreeMap<&'static str, Fitness> {
        let mut own: BTreeMap<&'static str, Fitness> = SourceName::ALL
            .map(|name| (name.as_str(), self.sources.get(name).fitness()))
            .into();
        if self.notifications.has_routes() {
            let probed = self.groups.components.get(ComponentName::MAIL);
            let probe_fails = probed.is_some_and(|it| it.health.fitness == Fitness::Fails);
            let mut routes = self.notifications.views().into_iter();
            let fails = probe_fails || routes.any(|view| view.fault.is_some());
            let fitness = if fails {
                Fitness::Fails
            } else {
                Fitness::Works
            };
            own.insert(ComponentName::MAIL, fitness);
        }
        own
    }

    fn component_member<'a>(
        &self,
        name: &'a str,
        fitness: Fitness,
        categories: &'a [String],
    ) -> Member<'a> {
        Member {
            name,
            kind: Kind::Component(categories),
            fitness,
            counts: !categories.is_empty() || self.groups.categories.is_fatal(name),
            acknowledged: self
                .suppressions
                .is_component_acknowledged(name, self.now.wall()),
        }
    }

    fn experiment_member<'a>(
        &'a self,
        experiment: &'a Experiment,
        lookup: &SuppressionLookup<'_>,
    ) -> Member<'a> {
        let stub = &experiment.stub;
        let resources = experiment.resources.iter();
        let is_held = resources
            .filter_map(|name| self.switching.resources.bookable(name))
            .max()
            == Some(Bookable::Held);
        Member {
            name: stub.as_str(),
            kind: Kind::Experiment(stub),
            fitness: match experiment.health {
                Health::Ok | Health::Degraded => Fitness::Works,
                Health::Unknown => Fitness::Unknown,
                Health::Flapping | Health::Down => Fitness::Fails,
            },
            counts: !is_held && !lookup.is_in_maintenance(stub),
            acknowledged: lookup.is_acknowledged(stub),
        }
    }
}

impl Source {
    /// A source that fell silent on an open connection is not proven to have a fault.
    fn fitness(&self) -> Fitness {
        match self.health {
            SourceHealth::Live | SourceHealth::Late => Fitness::Works,
            SourceHealth::Starting => Fitness::Unknown,
            SourceHealth::Down
                if self.name != SourceName::Book
                    && self.last_wall().is_some()
                    && self.link() == Link::Open =>
            {
                Fitness::Unknown
            }
            SourceHealth::Down => Fitness::Fails,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::groups::category::tests::rule;
    use crate::model::{Availability, Moment, ResourceName, Topic};
    use crate::protocol::{
        BookReading, CategoryRule, CategoryRules, ComponentHealth, Connection, Effect, Input,
        Policy, Report, ResourceReading, Rules, Scopes, Traffic,
    };
    use crate::suppressions::{Subject, SuppressionEntry};

    fn at(second: u64) -> Moment {
        Moment::new(Timestamp::UNIX_EPOCH, Duration::ZERO) + Duration::from_secs(second)
    }

    /// An engine that evaluates at once, with a category that quarantines, and `pend00` in book.
    fn engine() -> Engine {
        let policy = Policy {
            startup: Duration::ZERO,
            settle: Duration::ZERO,
            ..Policy::default()
        };
        let mut engine = Engine::new(policy, at(0));
        engine.groups.categories.adopt(CategoryRules {
            categories: vec![CategoryRule {
                sticky_booking: true,
                ..rule("exam")
            }],
            ..CategoryRules::default()
        });
        let stub = Stub::try_new("pend00").expect("a name");
        let reading = ResourceReading {
            name: ResourceName::try_new("r-pend00").expect("a name"),
            streams: vec![Topic::of(&stub, "st-data").expect("a name")],
            availability: Some(Availability::from_book(true, "new")),
            stub,
        };
        engine.step(
            Input::Book(BookReading {
                resources: vec![reading],
            }),
            at(0),
        );
        engine
    }

    fn report(active: bool) -> Input {
        let mut report = Report::default();
        let last = Duration::from_secs(if active { 0 } else { 60 });
        report.push(Connection {
            topic: "pend00-st-data",
            scopes: Scopes::EXPT,
            connected: "",
            expires: "",
            remote: "",
            user_agent: "",
            tx: Some(Traffic {
                last: Some(last),
                size: 1,
                fps: 1.0,
            }),
            rx: None,
        });
        Input::Report(SourceName::Relay, Arc::new(report))
    }

    #[test]
    fn a_fault_that_no_snapshot_shows_closes_a_category_and_quarantines() {
        let mut engine = engine();
        engine.step(report(true), at(1));
        let before = engine.snapshot();
        assert!(before.categories.is_empty());
        let mut effects = engine.step(report(false), at(2)).effects;
        effects.extend(engine.step(report(true), at(3)).effects);
        let after = engine.snapshot();
        let health = |snapshot: &crate::protocol::Snapshot| {
            snapshot.experiment("pend00").map(|view| view.health)
        };
        assert_eq!(
            [health(&before), health(&after)],
            [Some(Health::Ok), Some(Health::Ok)]
        );
        assert!(!after.categories["exam"].enabled);
        assert!(after.quarantined.contains_key("pend00"));
        let withdraws =
            |effect: &Effect| matches!(effect, Effect::Switch(switch) if !switch.available);
        assert!(effects.iter().any(withdraws), "{effects:?}");
    }

    #[test]
    fn a_component_that_fails_closes_its_category_and_one_that_is_not_fatal_does_not() {
        for (fatal, closes) in [(true, true), (false, false)] {
            let mut engine = engine();
            let mut rules = CategoryRules {
                categories: vec![CategoryRule {
                    patterns: vec!["door".to_owned()],
                    ..rule("exam")
                }],
                ..CategoryRules::default()
            };
            if !fatal {
                rules.non_fatal.insert("door".to_owned());
            }
            engine.groups.categories.adopt(rules);
            engine.step(report(true), at(1));
            let door = ComponentHealth {
                name: Arc::from("door"),
                fitness: Fitness::Fails,
                categories: Arc::default(),
                problem: Some(Arc::from("it sticks")),
            };
            engine.step(Input::Component(door), at(2));
            let closed = engine.snapshot().categories.contains_key("exam");
            assert_eq!(closed, closes);
        }
    }

    #[test]
    fn a_category_by_stem_takes_in_what_no_other_does() {
        for (other, closes) in [("spin*", true), ("pend*", false)] {
            let mut engine = engine();
            engine.groups.categories.adopt(CategoryRules {
                categories: vec![
                    CategoryRule {
                        patterns: Vec::new(),
                        by_stem: true,
                        ..rule("pend")
                    },
                    CategoryRule {
                        patterns: vec![other.to_owned()],
                        sticky: false,
                        ..rule("other")
                    },
                ],
                ..CategoryRules::default()
            });
            engine.step(report(true), at(1));
            engine.step(report(false), at(2));
            let closed = engine.snapshot().categories.contains_key("pend");
            assert_eq!(closed, closes, "{other}");
        }
    }

    fn acknowledges(names: &[&str]) -> Input {
        let by_name = names
            .iter()
            .map(|name| ((*name).to_owned(), "new motor on Monday".to_owned()));
        let mut rules = Rules::new(
            Policy {
                startup: Duration::ZERO,
                settle: Duration::ZERO,
                ..Policy::default()
            },
            Vec::new(),
        );
        rules.acknowledged.by_name = by_name.collect();
        Input::Adopt(Box::new(rules))
    }

    #[test]
    fn what_the_policy_acknowledges_is_so_over_a_recovery_until_it_is_taken_back() {
        let mut engine = engine();
        let suppression = |engine: &mut Engine| {
            let snapshot = engine.snapshot();
            let view = snapshot.experiment("pend00").expect("known");
            view.suppression
                .as_ref()
                .map(|given| (given.by.clone(), given.text.clone()))
        };
        engine.step(report(true), at(1));
        engine.step(acknowledges(&["pend00", "unknown00"]), at(2));
        let given = Some(("policy".to_owned(), "new motor on Monday".to_owned()));
        for (second, active) in [(3, false), (4, true), (5, false)] {
            engine.step(report(active), at(second));
            assert_eq!(suppression(&mut engine), given, "at {second}");
        }
        let since = |engine: &mut Engine| engine.snapshot().notes[0].entry.since();
        engine.step(acknowledges(&["pend00"]), at(6));
        assert_eq!(since(&mut engine), at(2).wall(), "it is as old as it was");
        engine.step(acknowledges(&[]), at(7));
        assert_eq!(suppression(&mut engine), None);
        assert!(engine.snapshot().notes.is_empty());
    }

    #[test]
    fn a_name_in_the_policy_means_a_component_where_there_is_one() {
        let mut engine = engine();
        engine.step(acknowledges(&["door", "relay", "experiment:relay"]), at(1));
        let subjects = |engine: &mut Engine| -> Vec<String> {
            let notes = engine.snapshot().notes;
            notes
                .iter()
                .map(|note| match &note.entry {
                    SuppressionEntry::Acknowledgement(given) => match &given.subject {
                        Subject::Experiment(stub) => format!("experiment {stub}"),
                        Subject::Component(name) => format!("component {name}"),
                        Subject::Installation => "all".to_owned(),
                    },
                    SuppressionEntry::Silence(_) | SuppressionEntry::Maintenance(_) => {
                        String::new()
                    }
                })
                .collect()
        };
        let before = ["experiment door", "experiment relay", "component relay"];
        assert_eq!(subjects(&mut engine), before);
        let door = ComponentHealth {
            name: Arc::from("door"),
            fitness: Fitness::Fails,
            categories: Arc::default(),
            problem: Some(Arc::from("it fails")),
        };
        engine.step(Input::Component(door), at(2));
        let after = ["experiment relay", "component door", "component relay"];
        assert_eq!(subjects(&mut engine), after);
        let door = ["door"].map(|name| {
            engine
                .suppressions
                .is_component_acknowledged(name, at(2).wall())
        });
        assert_eq!(door, [true]);
        engine.step(Input::ComponentGone(Arc::from("door")), at(3));
        assert_eq!(subjects(&mut engine), before);
    }
}
