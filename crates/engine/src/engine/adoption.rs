//! Reloading the rules while known state, delivered notifications and work under way stay.

use super::Engine;
use super::durable::DurableState;
use super::restored::RestoredState;
use crate::experiments::experiment::Experiment;
use crate::groups::booking_history::BookingHistory;
use crate::model::{ComponentName, Moment, SourceName, Stub};
use crate::notifications::Notifications;
use crate::protocol::{Effect, History, Policy, Rules, State, Step, Why};
use crate::suppressions::Subject;

impl Engine {
    /// An engine with these rules, resumed from a durable state. Entries of routes that no longer
    /// cover a subject leave the state with the first step.
    pub fn resume(rules: Rules, state: &State, now: Moment) -> Self {
        let mut engine = Self {
            notifications: Notifications::new(rules.routes, now),
            durable: DurableState::new(state.clone()),
            ..Self::new(rules.policy, now)
        };
        engine.recall(RestoredState::of(state), now);
        engine.suppressions.configure(rules.maintenance);
        engine.views.derived.adopt(rules.advice);
        engine.groups.pool_rules = rules.pools;
        engine.groups.holds.forgotten_after(rules.hold_overdue);
        engine.groups.categories.adopt(rules.categories);
        engine.acknowledged = rules.acknowledged;
        engine.acknowledge_by_policy();
        engine
    }

    /// The same engine, which shows and continues the history that was stored beside the state.
    #[must_use]
    pub fn with_history(mut self, history: History) -> Self {
        self.groups.booking_history = BookingHistory::recall(&history.bookings);
        for (stub, events) in history.events {
            self.experiments.fleet.show_events(&stub, events);
        }
        self
    }

    /// The same engine as the successor of another one: versions and events continue from there, so
    /// that readers see no break.
    #[must_use]
    pub fn in_place_of(mut self, before: &Self) -> Self {
        self.started = before.started;
        self.views.version = before.views.version + 1;
        self.views.changed = self.views.version;
        self.groups.booking_history = before.groups.booking_history.clone();
        for experiment in before.experiments.fleet.experiments() {
            let events = experiment.events();
            if !events.is_empty() {
                self.experiments.fleet.show_events(&experiment.stub, events);
            }
        }
        self
    }

    /// Applies these rules from now on. Parts whose rules are unchanged are not touched, so that a
    /// reload without changes has no effect.
    pub(super) fn adopt(&mut self, rules: Rules, step: &mut Step) {
        if self.notifications.adopt(&rules.routes, self.now) {
            self.consider(Experiment::is_evaluated);
        }
        self.suppressions.configure(rules.maintenance);
        self.acknowledged = rules.acknowledged;
        self.acknowledge_by_policy();
        if self.views.derived.adopt(rules.advice) {
            self.experiments.fleet.touch_all();
        }
        if self.groups.holds.forgotten_after(rules.hold_overdue) {
            self.views.derived.holds_changed();
        }
        if self.groups.pool_rules != rules.pools {
            self.groups.pool_rules = rules.pools;
            // Pools are derived from what can be booked according to book, which is not kept.
            step.effect(Effect::Ask(SourceName::Book));
        }
        let released = self.groups.categories.adopt(rules.categories);
        self.reconsider_quarantined(released);
        if self.policy != rules.policy {
            self.adopt_policy(rules.policy, step);
        }
    }

    /// Applies the policy's acknowledgements; a name is resolved to what it means now.
    pub(super) fn acknowledge_by_policy(&mut self) {
        let named = self.acknowledged.by_name.iter();
        let named = named.map(|(name, text)| (self.subject(name), text.clone()));
        let all = self.acknowledged.installation.iter();
        let all = all.map(|text| (Subject::Installation, text.clone()));
        let (subjects, at) = (named.chain(all).collect(), self.now.wall());
        self.suppressions.acknowledge_by_policy(subjects, at);
    }

    /// The subject of a name in the policy: a known component, else an experiment.
    fn subject(&self, name: &str) -> Subject {
        let is_component = self.groups.components.contains_key(name)
            || name == ComponentName::MAIL
            || SourceName::named(name).is_some();
        let stub = name.strip_prefix("experiment:").unwrap_or(name);
        match Stub::try_new(stub) {
            Ok(stub) if !is_component => Subject::Experiment(stub),
            Ok(_) | Err(_) => Subject::Component(name.to_owned()),
        }
    }

    fn adopt_policy(&mut self, policy: Policy, step: &mut Step) {
        self.policy = policy;
        self.sources.adopt(&policy);
        self.experiments.fleet.reconsider_all();
        self.experiments.fleet.touch_all();
        self.refresh_pages();
        self.evaluate_all(Why::Rules, step);
    }

    /// Notifications about these experiments may be pending: a route covers more than before, or
    /// book lists others.
    pub(super) fn consider(&mut self, is_meant: impl Fn(&Experiment) -> bool) {
        let (fleet, is_listed) = (&self.experiments.fleet, self.switching.manifest_known);
        for experiment in fleet.experiments().filter(|one| is_meant(one)) {
            self.notifications
                .note_change(experiment, is_listed, self.now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::groups::pool::PoolRule;
    use crate::model::{Availability, ResourceName, Stub};
    use crate::notifications::advice::Advice;
    use crate::protocol::{
        BookReading, CategoryRules, Input, PolicyAcknowledgements, ResourceReading,
    };

    fn rules() -> Rules {
        let (routes, maintenance, pools, advice) =
            (Vec::new(), Vec::new(), Vec::new(), Advice::default());
        Rules {
            policy: Policy::default(),
            routes,
            maintenance,
            pools,
            advice,
            categories: CategoryRules::default(),
            acknowledged: PolicyAcknowledgements::default(),
            hold_overdue: Duration::from_secs(3_600),
        }
    }

    fn at(second: u64) -> Moment {
        Moment::new(Timestamp::UNIX_EPOCH, Duration::ZERO) + Duration::from_secs(second)
    }

    #[test]
    fn a_hold_looks_forgotten_by_the_rule_in_force() {
        let mut engine = Engine::resume(rules(), &State::new(), at(0));
        let stub = Stub::try_new("pend00").expect("a name");
        let availability = Some(Availability {
            available: false,
            reason: "in the workshop".to_owned(),
        });
        let name = ResourceName::try_new("r-pend00").expect("a name");
        engine.step(
            Input::Book(BookReading {
                resources: vec![ResourceReading {
                    name,
                    stub,
                    streams: Vec::new(),
                    availability,
                }],
            }),
            at(1),
        );
        let mut overdue = |input, second| {
            engine.step(input, at(second));
            engine
                .snapshot()
                .holds
                .iter()
                .map(|hold| hold.overdue)
                .collect::<Vec<_>>()
        };
        assert_eq!(overdue(Input::Wake, 3_000), [false]);
        assert_eq!(overdue(Input::Wake, 3_700), [true]);
        let longer = Rules {
            hold_overdue: Duration::from_secs(7_200),
            ..rules()
        };
        assert_eq!(overdue(Input::Adopt(Box::new(longer)), 3_800), [false]);
    }

    #[test]
    fn changed_pools_cause_a_poll_of_book_and_unchanged_ones_do_not() {
        let mut engine = Engine::resume(rules(), &State::new(), at(0));
        let mut asks = |pools| {
            let step = engine.step(Input::Adopt(Box::new(Rules { pools, ..rules() })), at(1));
            step.effects.contains(&Effect::Ask(SourceName::Book))
        };
        let pool = PoolRule {
            name: "pendulums".to_owned(),
            patterns: vec!["pend*".to_owned()],
        };
        assert_eq!(
            [asks(vec![pool.clone()]), asks(vec![pool]), asks(Vec::new())],
            [true, false, true]
        );
    }
}
