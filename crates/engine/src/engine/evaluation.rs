//! Tending to what is not as it should be: sources, streams to listen to, experiments to look at again, resources to switch.

use std::sync::Arc;

use super::Engine;
use crate::experiments::experiment::{EvaluationContext, Experiment};
use crate::experiments::fleet::{Fleet, Id};
use crate::model::{Health, Moment, Private, SourceHealth, SourceName, Stub, Visibility};
use crate::protocol::effect::{Action, Record};
use crate::protocol::event::{Event, Why};
use crate::protocol::input::Quarantined;
use crate::switching::availability::Wanted;
use crate::switching::reason;

impl Engine {
    /// Brings a source's health up to date. Where that changes what its word is worth, looks at all experiments and returns true.
    pub(super) fn evaluate_source(&mut self, name: SourceName, actions: &mut Vec<Action>) -> bool {
        let now = self.now;
        let source = self.source_mut(name);
        let (was, was_settling) = (source.health, source.settles_until().is_some());
        let changed = source.evaluate(now);
        let (health, has_settled) = (
            source.health,
            was_settling && source.settles_until().is_none(),
        );
        if changed {
            let note = source.note(Visibility::PUBLIC);
            let said = Private::new(source.note(Visibility::MAINTAINER));
            actions.push(Action::Record(Record::Source {
                name,
                health,
                note,
                said,
            }));
            if health == SourceHealth::Live {
                self.source_is_well(name, actions);
            }
        }
        if name == SourceName::Book {
            let decides = changed && health == SourceHealth::Down && !self.manifest_known;
            if decides {
                self.fleet.reconsider_all();
                self.evaluate_all(Why::SourceDown(name), actions);
            }
            return decides;
        }
        let why = match (was, health) {
            (_, SourceHealth::Down) if changed => {
                actions.push(Action::Ask(SourceName::Book));
                Why::SourceDown(name)
            }
            (SourceHealth::Down, _) if changed => Why::SourceBack(name),
            _ if has_settled => Why::SourceBack(name),
            _ => return false,
        };
        self.evaluate_all(why, actions);
        true
    }

    pub(super) fn evaluate_cut_off(&mut self, actions: &mut Vec<Action>) {
        let blind = SourceName::ALL
            .iter()
            .all(|name| self.source(*name).health == SourceHealth::Down);
        if blind != self.blind.is_some() {
            self.blind = blind.then_some(self.now);
            actions.push(Action::Record(Record::Blind(blind)));
        }
    }

    /// A relay that stays silent by its own fault makes its experiments unusable. Where the fault may be ours, and when we are blind, its
    /// silence says nothing about them: they are not evaluated, and nothing is switched.
    pub(super) fn evaluate_outage(&mut self, actions: &mut Vec<Action>) {
        let outage = self.blind.is_none() && self.outage_at().is_some_and(|at| self.now >= at);
        if outage != self.outage {
            self.outage = outage;
            self.evaluate_all(
                match (outage, self.relay.health) {
                    (true, _) => Why::Outage(SourceName::Relay),
                    (false, SourceHealth::Down) => Why::SourceDown(SourceName::Relay),
                    (false, SourceHealth::Starting | SourceHealth::Live | SourceHealth::Late) => {
                        Why::SourceBack(SourceName::Relay)
                    }
                },
                actions,
            );
        }
    }

    pub(super) fn outage_at(&self) -> Option<Moment> {
        let since = self.relay.down_by_itself()?;
        Some(since + self.policy.outage_hold)
    }

    pub(super) fn maintain_sources(&mut self, actions: &mut Vec<Action>) {
        for name in [SourceName::Relay, SourceName::Jump] {
            let (now, every) = (self.now, self.ask_every(name));
            let source = self.source_mut(name);
            if source.reconnect_due(now) {
                actions.push(Action::Reconnect(name));
            } else if every.is_some_and(|every| source.ask_due(every, now)) {
                actions.push(Action::Ask(name));
            }
        }
    }

    pub(super) fn maintain_sampling(&mut self, actions: &mut Vec<Action>) {
        if !self.is_listening() {
            return;
        }
        let samples = self.sampler.due(&self.fleet, &self.policy, self.now);
        actions.extend(samples.into_iter().map(Action::Sample));
        let keeps_up = self.sampler.keeps_up(&self.policy) && self.sampler.broken().is_none();
        if self.sampling_told != Some(keeps_up) {
            self.sampling_told = Some(keeps_up);
            let view = self.sampler.view(&self.policy);
            actions.push(Action::Record(Record::Sampling {
                streams: view.streams,
                round: view.round,
                keeps_up,
                failures: view.failures,
            }));
        }
    }

    pub(super) fn switch(&mut self, actions: &mut Vec<Action>) {
        if !self.may_switch() {
            return;
        }
        let (fleet, kept) = (&self.fleet, &self.quarantined);
        let due = self.resources.due(self.now, |stub| match kept.get(stub) {
            Some(_) => Wanted::Withdrawn {
                reason: reason::to_be_inspected(),
            },
            None => wanted(fleet.named(stub.as_str())),
        });
        for switch in due {
            actions.push(Action::Record(Record::Switching(switch.clone())));
            actions.push(Action::Switch(switch));
        }
    }

    /// Takes in which experiments are kept back now: those that were not before, and those that are no more, may have to be switched.
    pub(super) fn quarantine(&mut self, kept: Arc<Quarantined>) {
        let was = std::mem::replace(&mut self.quarantined, kept);
        let differ = |a: &Quarantined, b: &Quarantined| {
            a.keys()
                .filter(|stub| !b.contains_key(*stub))
                .cloned()
                .collect::<Vec<_>>()
        };
        for stub in differ(&was, &self.quarantined)
            .into_iter()
            .chain(differ(&self.quarantined, &was))
        {
            if let Some(experiment) = self.fleet.named(stub.as_str()) {
                self.resources.reconsider(&experiment.resources);
            }
        }
    }

    /// Whether it is known what experiments must have, or book will not say so soon.
    pub(super) fn may_evaluate(&self) -> bool {
        self.manifest_known || self.book.health == SourceHealth::Down
    }

    /// Whether it makes sense to write into book now.
    pub(super) fn may_switch(&self) -> bool {
        self.relay.health != SourceHealth::Starting
            && self.blind.is_none()
            && self.manifest_lost.is_none()
            && self.book.health != SourceHealth::Down
    }

    pub(super) fn evaluate(&mut self, id: Id, why: Why, actions: &mut Vec<Action>) {
        self.evaluating(actions, |fleet, context, events| {
            fleet.evaluate(id, why, context, events);
        });
    }

    pub(super) fn evaluate_all(&mut self, why: Why, actions: &mut Vec<Action>) {
        self.evaluating(actions, |fleet, context, events| {
            fleet.evaluate_all(why, context, events);
        });
    }

    pub(super) fn evaluate_due(&mut self, actions: &mut Vec<Action>) {
        self.evaluating(actions, Fleet::evaluate_due);
    }

    pub(super) fn evaluating(
        &mut self,
        actions: &mut Vec<Action>,
        evaluate: impl FnOnce(&mut Fleet, &EvaluationContext, &mut Vec<(Id, Arc<Event>)>),
    ) {
        let mut events = Vec::new();
        let context = self.context();
        evaluate(&mut self.fleet, &context, &mut events);
        self.let_go_of_gone(actions);
        for (id, event) in events {
            let Some(experiment) = self.fleet.get(id) else {
                continue;
            };
            self.telling
                .note_change(experiment, self.manifest_known, self.now);
            self.resources.reconsider(&experiment.resources);
            let (stub, health) = (experiment.stub.clone(), event.health);
            actions.push(Action::Record(Record::Event {
                stub: stub.clone(),
                event,
            }));
            self.health_changed(&stub, health, actions);
        }
    }

    /// Says which experiments have become known or were forgotten, and what people need not be remembered to know, for the history.
    pub(super) fn keep_track(&mut self, actions: &mut Vec<Action>) {
        actions.extend(
            self.fleet
                .take_seen()
                .into_iter()
                .map(|stub| Action::Record(Record::Seen(stub))),
        );
        let done = self.resources.take_fulfilled().into_iter();
        actions.extend(done.map(|resource| {
            Action::Record(Record::Wished {
                resource,
                manual_override: None,
            })
        }));
        actions.extend(
            self.fleet
                .take_forgotten()
                .into_iter()
                .map(|stub| Action::Record(Record::Forgotten(stub))),
        );
        actions.extend(self.telling.take_records().into_iter().map(Action::Record));
    }

    pub(super) fn mark_dirty(&mut self, stub: &Stub) {
        if let Some(id) = self.fleet.find(stub.as_str()) {
            self.fleet.mark_dirty(id);
        }
    }

    pub(super) fn forget(&mut self, id: Id, actions: &mut Vec<Action>) {
        self.fleet.forget(id);
        self.let_go_of_gone(actions);
    }

    fn let_go_of_gone(&mut self, actions: &mut Vec<Action>) {
        let gone = self.fleet.gone().to_vec();
        for stub in &gone {
            self.telling.forget(stub);
        }
        self.stubs_are_gone(&gone, actions);
    }
}

/// What book should say of an experiment's resources: the last column of the table of design section 3.
fn wanted(experiment: Option<&Experiment>) -> Wanted {
    let Some(experiment) = experiment.filter(|experiment| experiment.is_evaluated()) else {
        return Wanted::AsItIs;
    };
    match experiment.health {
        Health::Unknown => Wanted::AsItIs,
        Health::Ok | Health::Degraded => Wanted::Bookable {
            reason: reason::given_back(),
        },
        Health::Flapping => Wanted::Withdrawn {
            reason: reason::comes_and_goes(&experiment.stub, &experiment.issues),
        },
        Health::Down => Wanted::Withdrawn {
            reason: reason::withdrawn(&experiment.stub, &experiment.issues),
        },
    }
}
