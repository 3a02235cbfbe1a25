//! Taking inputs in: what each of them changes.

use std::sync::Arc;

use super::Engine;
use crate::experiments::evaluate::Heard;
use crate::experiments::experiment::Experiment;
use crate::experiments::fleet::Id;
use crate::groups::booking_history::BookingHistory;
use crate::model::{
    Bookable, Moment, ResourceName, RouteName, SourceHealth, SourceName, Stub, Topic,
};
use crate::protocol::effect::{Action, ManifestChange, Record};
use crate::protocol::event::Why;
use crate::protocol::input::{BookReading, DeliveryFault, Role, SampleOutcome, SwitchOutcome};
use crate::protocol::policy::Sampling;
use crate::protocol::report::Report;
use crate::protocol::state::{Memory, Notified};
use crate::suppressions::ActiveSuppressions;
use crate::switching::availability::HoldChange;

impl Engine {
    /// Takes up what is remembered of the time before the start.
    pub(super) fn recall(&mut self, memory: &Memory, now: Moment) {
        self.telling
            .recall(&memory.routes, memory.last_summary, now);
        for known in &memory.experiments {
            let id = self.fleet.recall(known, self.policy.flap, now);
            if let Some(experiment) = id.and_then(|id| self.fleet.get(id)) {
                self.telling.note_change(experiment, false, now);
            }
        }
        if memory.has_heard_relay() {
            self.relay.prove();
        }
        self.fleet.take_seen();
        self.quiet = Arc::new(ActiveSuppressions::restore(
            memory.quiet.iter().cloned(),
            memory.last_quiet,
        ));
        for (resource, manual_override) in &memory.manual_overrides {
            self.resources
                .manual_override(resource.clone(), manual_override.clone());
        }
        for (resource, hold) in &memory.holds {
            self.holds.restore(resource.clone(), hold.clone());
        }
        self.booking_history = BookingHistory::recall(&memory.bookings);
    }

    pub(super) fn report(
        &mut self,
        source: SourceName,
        report: &Arc<Report>,
        actions: &mut Vec<Action>,
    ) {
        let (now, settle) = (self.now, self.policy.settle);
        let was = self.source(source).health;
        let its = self.source_mut(source);
        its.heard(report.started(), settle, now);
        its.told_unreadably(report.unreadable());
        match source {
            SourceName::Relay => {
                let returned = self.fleet.apply_relay_report(report, now);
                self.sampling = self.wants_sampling();
                if self.sampling {
                    self.sampler.returned(returned);
                    self.confirm_silence(was);
                } else {
                    self.sampler.pause(now);
                }
            }
            SourceName::Jump => self.fleet.apply_jump_report(report, now),
            SourceName::Book => return,
        }
        if !self.evaluate_source(source, actions) {
            self.evaluate_all(Why::Observed, actions);
        }
    }

    /// Streams that were quiet count as silent now that relay, which was live all the while, reports again.
    fn confirm_silence(&mut self, relay_was: SourceHealth) {
        if relay_was != SourceHealth::Live {
            return self.sampler.start_over();
        }
        for topic in self.sampler.confirm() {
            let stream = self
                .fleet
                .stream_mut(topic.as_str())
                .filter(|stream| stream.is_connected());
            if let Some(stream) = stream {
                stream.heard = Heard::Nothing;
            }
            if let Some(id) = self.fleet.owner(topic.as_str()) {
                self.fleet.mark_dirty(id);
            }
        }
    }

    pub(super) fn wants_sampling(&self) -> bool {
        match self.policy.sample {
            Sampling::Always => true,
            Sampling::Never => false,
            Sampling::Auto => self.fleet.lacks_statistics(),
        }
    }

    pub(super) fn read_book(&mut self, reading: &BookReading, actions: &mut Vec<Action>) {
        let now = self.now;
        self.book.heard(None, self.policy.settle, now);
        self.evaluate_source(SourceName::Book, actions);
        if reading.resources.is_empty() {
            self.lose_manifest(actions);
            return;
        }
        if self.manifest_lost.take().is_some() {
            actions.push(Action::Record(Record::Manifest(ManifestChange::Back)));
        }
        if !std::mem::replace(&mut self.manifest_known, true) {
            self.fleet.touch_all();
        }
        let (added, removed) = self.resources.list(&reading.resources);
        self.end_holds(&removed, actions);
        if !added.is_empty() || !removed.is_empty() {
            actions.push(Action::Record(Record::Manifest(ManifestChange::Changed {
                added,
                removed,
            })));
        }
        self.enlist(actions);
        for resource in &reading.resources {
            let Some(said) = &resource.availability else {
                continue;
            };
            let hold = self.resources.read(&resource.name, said, now);
            self.note_hold(hold, actions);
            self.mark_dirty(&resource.stub);
        }
        self.end_remembered_holds(actions);
    }

    /// A hold that is only remembered has ended while nobody looked.
    fn end_remembered_holds(&mut self, actions: &mut Vec<Action>) {
        let has_ended = |resource: &&ResourceName| {
            self.resources
                .bookable(resource)
                .is_some_and(|now| now != Bookable::Held)
        };
        let ended: Vec<ResourceName> = self
            .holds
            .iter()
            .map(|(resource, _)| resource)
            .filter(has_ended)
            .cloned()
            .collect();
        for resource in ended {
            self.note_hold(
                Some(HoldChange {
                    resource,
                    reason: None,
                }),
                actions,
            );
        }
    }

    /// An empty manifest means that book has lost it: what was known stays.
    pub(super) fn lose_manifest(&mut self, actions: &mut Vec<Action>) {
        if self.manifest_lost.is_none() {
            self.manifest_lost = Some(self.now);
            actions.push(Action::Record(Record::Manifest(ManifestChange::Lost)));
        }
    }

    /// Brings what experiments must have in line with book's list.
    pub(super) fn enlist(&mut self, actions: &mut Vec<Action>) {
        let now = self.now;
        let mut listed = self.resources.by_stub();
        let mut changed = Vec::new();
        let known: Vec<(Id, Stub)> = self
            .fleet
            .iter()
            .map(|(id, e)| (id, e.stub.clone()))
            .collect();
        for (id, stub) in known {
            let (resources, streams) = listed.remove(&stub).unwrap_or_default();
            if self.fleet.enlist(id, resources, &streams, now) {
                changed.push(id);
            }
        }
        for (stub, (resources, streams)) in listed {
            let Some(id) = self.fleet.add(&stub, now) else {
                continue;
            };
            self.fleet.enlist(id, resources, &streams, now);
            changed.push(id);
        }
        for id in changed {
            if self.fleet.get(id).is_some_and(Experiment::is_phantom) {
                self.forget(id, actions);
            } else {
                self.evaluate(id, Why::Manifest, actions);
            }
        }
        self.consider_unlisted();
    }

    /// Whether an experiment is listed is itself something to tell.
    pub(super) fn consider_unlisted(&mut self) {
        for (_, experiment) in self.fleet.iter().filter(|(_, e)| !e.listed()) {
            self.telling
                .note_change(experiment, self.manifest_known, self.now);
        }
    }

    pub(super) fn switched(
        &mut self,
        resource: ResourceName,
        outcome: SwitchOutcome,
        actions: &mut Vec<Action>,
    ) {
        let stub = self.resources.stub(&resource).cloned();
        let hold = self.resources.switched(&resource, &outcome, self.now);
        if let Some(stub) = stub {
            self.mark_dirty(&stub);
            actions.push(Action::Record(Record::Switched {
                resource,
                stub,
                outcome,
            }));
        }
        self.note_hold(hold, actions);
    }

    pub(super) fn sampled(
        &mut self,
        topic: &Topic,
        outcome: &SampleOutcome,
        actions: &mut Vec<Action>,
    ) {
        let (now, owner) = (self.now, self.fleet.owner(topic.as_str()));
        let was = self
            .fleet
            .peek_stream(topic.as_str())
            .map_or(Heard::Unverified, |stream| stream.heard);
        let heard = self.sampler.sampled(topic, outcome, was, &self.policy, now);
        if let (Some(heard), Some(id)) = (heard, owner) {
            if let Some(stream) = self
                .fleet
                .stream_mut(topic.as_str())
                .filter(|stream| stream.is_connected())
            {
                stream.heard = heard;
            }
            self.evaluate(id, Why::Observed, actions);
        }
    }

    pub(super) fn delivered(
        &mut self,
        id: u64,
        outcome: &Result<(), DeliveryFault>,
        actions: &mut Vec<Action>,
    ) {
        actions.push(Action::Record(Record::Delivered {
            id,
            outcome: outcome.clone(),
        }));
        let (route, news) = self
            .telling
            .delivered(id, outcome, self.now)
            .unwrap_or_else(|| (RouteName::everybody(), Vec::new()));
        for notified in news {
            if let Notified::Experiment(stub, _) = &notified {
                match self.fleet.named(stub.as_str()) {
                    Some(experiment) => {
                        self.telling
                            .note_change(experiment, self.manifest_known, self.now);
                    }
                    None => self.telling.forget(stub),
                }
            }
            actions.push(Action::Record(Record::Notified {
                route: route.clone(),
                notified,
            }));
        }
    }

    /// Becoming leader is a full settle: everything is compared again.
    pub(super) fn take_role(&mut self, role: Role) {
        self.role = role;
        if role == Role::Leader {
            self.resources.reconsider_all();
        }
    }

    /// Lets go of the holds of resources that book does not list any more: when they come back, book says anew how they are.
    fn end_holds(&mut self, removed: &[ResourceName], actions: &mut Vec<Action>) {
        let held: Vec<&ResourceName> = removed
            .iter()
            .filter(|resource| self.holds.is_held(resource))
            .collect();
        for resource in held {
            self.note_hold(
                Some(HoldChange {
                    resource: resource.clone(),
                    reason: None,
                }),
                actions,
            );
        }
    }

    /// Takes note of a person's hold, or of its end.
    fn note_hold(&mut self, change: Option<HoldChange>, actions: &mut Vec<Action>) {
        let Some(HoldChange { resource, reason }) = change else {
            return;
        };
        match &reason {
            Some(reason) => drop(self.holds.held(&resource, reason, self.now.wall()).cloned()),
            None => drop(self.holds.released(&resource)),
        }
        self.derived.holds_changed();
        actions.push(Action::Record(Record::Hold { resource, reason }));
    }
}
