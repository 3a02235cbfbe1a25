//! Periodic work: evaluating sources and experiments, sampling streams, switching resources.

use std::sync::Arc;

use super::Engine;
use crate::experiments::experiment::EvaluationContext;
use crate::experiments::fleet::{Fleet, Id};
use crate::model::{Moment, Private, SourceHealth, SourceName, Stub, Visibility};
use crate::protocol::{Effect, Event, Record, Step, Why};

impl Engine {
    /// Updates a source's health. Where that changes whether its reports count, evaluates all
    /// experiments and returns true.
    pub(super) fn evaluate_source(&mut self, name: SourceName, step: &mut Step) -> bool {
        let now = self.now;
        let source = self.sources.get_mut(name);
        let (was, was_settling) = (source.health, source.settles_until().is_some());
        let changed = source.evaluate(now);
        let (health, has_settled) = (
            source.health,
            was_settling && source.settles_until().is_none(),
        );
        if changed {
            self.groups.categories.mark_dirty();
            let source = self.sources.get(name);
            step.record(Record::Source {
                name,
                health,
                note: source.note(Visibility::PUBLIC),
                said: Private::new(source.note(Visibility::MAINTAINER)),
            });
            if health == SourceHealth::Live {
                self.suppressions.source_is_well(name, now.wall(), step);
            }
        }
        if name == SourceName::Book {
            let decides = changed && health == SourceHealth::Down && !self.switching.manifest_known;
            if decides {
                self.experiments.fleet.reconsider_all();
                self.evaluate_all(Why::SourceDown(name), step);
            }
            return decides;
        }
        let why = match (was, health) {
            (_, SourceHealth::Down) if changed => {
                step.effect(Effect::Ask(SourceName::Book));
                Why::SourceDown(name)
            }
            (SourceHealth::Down, _) if changed => Why::SourceBack(name),
            _ if has_settled => Why::SourceBack(name),
            _ => return false,
        };
        self.evaluate_all(why, step);
        true
    }

    /// A relay that stays silent by its own fault makes its experiments unusable. Where the fault
    /// may be labwatch's, and while labwatch is cut off, the silence says nothing about them: they
    /// are not evaluated, and nothing is switched.
    pub(super) fn evaluate_outage(&mut self, step: &mut Step) {
        let outage =
            self.sources.blind.is_none() && self.outage_at().is_some_and(|at| self.now >= at);
        if outage != self.sources.outage {
            self.sources.outage = outage;
            self.evaluate_all(
                match (outage, self.sources.relay.health) {
                    (true, _) => Why::Outage(SourceName::Relay),
                    (false, SourceHealth::Down) => Why::SourceDown(SourceName::Relay),
                    (false, SourceHealth::Starting | SourceHealth::Live | SourceHealth::Late) => {
                        Why::SourceBack(SourceName::Relay)
                    }
                },
                step,
            );
        }
    }

    /// When relay's silence makes its experiments unusable. Time during which labwatch was cut off
    /// does not count.
    pub(super) fn outage_at(&self) -> Option<Moment> {
        let since = self.sources.relay.down_by_itself()?;
        Some(self.sources.counted_from(since) + self.policy.outage_hold)
    }

    pub(super) fn evaluate(&mut self, id: Id, why: Why, step: &mut Step) {
        self.evaluating(step, |fleet, context, events| {
            fleet.evaluate(id, why, context, events);
        });
    }

    pub(super) fn evaluate_all(&mut self, why: Why, step: &mut Step) {
        self.evaluating(step, |fleet, context, events| {
            fleet.evaluate_all(why, context, events);
        });
    }

    pub(super) fn evaluate_due(&mut self, step: &mut Step) {
        self.evaluating(step, Fleet::evaluate_due);
    }

    pub(super) fn evaluating(
        &mut self,
        step: &mut Step,
        evaluate: impl FnOnce(&mut Fleet, &EvaluationContext, &mut Vec<(Id, Arc<Event>)>),
    ) {
        let mut events = Vec::new();
        let context = self.context();
        evaluate(&mut self.experiments.fleet, &context, &mut events);
        self.let_go_of_gone(step);
        if !events.is_empty() {
            self.groups.categories.mark_dirty();
        }
        for (id, event) in events {
            let Some(experiment) = self.experiments.fleet.get(id) else {
                continue;
            };
            self.notifications
                .note_change(experiment, self.switching.manifest_known, self.now);
            self.switching.resources.reconsider(&experiment.resources);
            let (stub, health) = (experiment.stub.clone(), event.health);
            step.record(Record::Event {
                stub: stub.clone(),
                event,
            });
            self.suppressions
                .health_changed(&stub, health, self.now.wall(), step);
        }
    }

    /// Records experiments that became known or were forgotten, fulfilled manual overrides, and
    /// pending changes of notifications.
    pub(super) fn keep_track(&mut self, step: &mut Step) {
        let fleet = &mut self.experiments.fleet;
        let seen = fleet.take_seen().into_iter().map(Record::Seen);
        let forgotten = fleet.take_forgotten().into_iter().map(Record::Forgotten);
        let fulfilled = self.switching.resources.take_fulfilled().into_iter();
        let fulfilled = fulfilled.map(|resource| Record::Requested {
            resource,
            manual_override: None,
        });
        step.records.extend(seen.chain(fulfilled).chain(forgotten));
        step.records.extend(self.notifications.take_records());
    }

    pub(super) fn mark_dirty(&mut self, stub: &Stub) {
        if let Some(id) = self.experiments.fleet.find(stub.as_str()) {
            self.experiments.fleet.mark_dirty(id);
        }
    }

    pub(super) fn forget(&mut self, id: Id, step: &mut Step) {
        self.experiments.fleet.forget(id);
        self.let_go_of_gone(step);
    }

    fn let_go_of_gone(&mut self, step: &mut Step) {
        let gone = self.experiments.fleet.gone().to_vec();
        for stub in &gone {
            self.notifications.forget(stub, self.now);
        }
        self.suppressions.forget(&gone, self.now.wall(), step);
    }
}
