//! Applying inputs to the engine's state.

use std::sync::Arc;

use super::Engine;
use super::restored::RestoredState;
use crate::experiments::Experiments;
use crate::experiments::evaluate::SampleEvidence;
use crate::experiments::experiment::Experiment;
use crate::experiments::fleet::Id;
use crate::experiments::mass::Tally;
use crate::model::{
    Bookable, Moment, ResourceName, RouteName, SourceHealth, SourceName, Stub, Topic,
};
use crate::protocol::{
    BookReading, Delivered, DeliveryFault, Effect, ManifestChange, Notified, Record, Report, Role,
    SampleOutcome, Step, SwitchOutcome, Why,
};
use crate::switching::resource::HoldChange;

impl Engine {
    /// Restores the durable state of an earlier run.
    pub(super) fn recall(&mut self, restored: RestoredState, now: Moment) {
        let (fleet, last_summary) = (&mut self.experiments.fleet, restored.last_summary);
        self.notifications
            .recall(&restored.routes, last_summary, now);
        for (stub, state) in &restored.experiments {
            let id = fleet.recall(stub, state, self.policy.flap, now);
            if let Some(experiment) = id.and_then(|id| fleet.get(id)) {
                self.notifications.note_change(experiment, false, now);
            }
        }
        for name in restored.proven {
            self.sources.get_mut(name).prove();
        }
        self.experiments.fleet.take_seen();
        self.suppressions
            .restore(restored.suppressions, restored.last_suppression);
        for (resource, manual_override) in restored.manual_overrides {
            let resources = &mut self.switching.resources;
            resources.manual_override(resource, manual_override);
        }
        for (resource, hold) in restored.holds {
            self.groups.holds.restore(resource, hold);
        }
        for (name, state) in restored.categories {
            self.groups.categories.restore(name, state);
        }
        self.groups.pools_kept = restored.pools;
    }

    pub(super) fn report(&mut self, source: SourceName, report: &Arc<Report>, step: &mut Step) {
        let (now, settle) = (self.now, self.policy.settle);
        let was = self.sources.get(source).health;
        let its = self.sources.get_mut(source);
        its.note_report(report.started(), settle, now);
        its.note_unreadable(report.unreadable());
        match source {
            SourceName::Relay => {
                let returned = self.experiments.fleet.apply_relay_report(report, now);
                self.note_losses(was, step);
                if self.experiments.decide_sampling(&self.policy) {
                    self.experiments.sampler.returned(returned);
                    self.confirm_silence(was, step);
                } else {
                    self.experiments.sampler.pause(now);
                }
            }
            SourceName::Jump => self.experiments.fleet.apply_jump_report(report, now),
            SourceName::Book => return,
        }
        if !self.evaluate_source(source, step) {
            self.evaluate_all(Why::Observed, step);
        }
    }

    /// Where relay's report is the first that shows most of the fleet as lost, requests another
    /// one, also where reports are otherwise not requested.
    fn note_losses(&mut self, relay_was: SourceHealth, step: &mut Step) {
        let losses = self.experiments.fleet.note_losses(self.policy.last_active);
        // After a restart or an outage of relay, experiments return one after the other.
        let is_expected =
            relay_was == SourceHealth::Down || self.sources.relay.settles_until().is_some();
        let Some(seen) = losses.filter(|_| !is_expected) else {
            return;
        };
        step.record(Record::SecondLook {
            lost: seen.lost,
            of: seen.of,
        });
        self.sources.relay.note_asked(self.now);
        step.effect(Effect::Ask(SourceName::Relay));
    }

    /// Streams without messages count as silent once relay, which was live all the while, reports
    /// again.
    fn confirm_silence(&mut self, relay_was: SourceHealth, step: &mut Step) {
        let experiments = &mut self.experiments;
        if relay_was != SourceHealth::Live {
            return experiments.sampler.start_over();
        }
        let silent = match experiments.sampler.confirm(&experiments.fleet, self.now) {
            Ok(silent) => silent,
            Err(seen) if seen.is_mass() => {
                let Tally { lost, of } = seen;
                return step.record(Record::SecondLook { lost, of });
            }
            Err(_) => return,
        };
        for topic in silent {
            experiments
                .fleet
                .note_evidence(&topic, SampleEvidence::Nothing);
        }
    }

    pub(super) fn read_book(&mut self, reading: &BookReading, step: &mut Step) {
        let now = self.now;
        self.sources.book.note_report(None, self.policy.settle, now);
        self.evaluate_source(SourceName::Book, step);
        if reading.resources.is_empty() {
            self.lose_manifest(step);
            return;
        }
        if self.switching.manifest_lost.take().is_some() {
            step.record(Record::Manifest(ManifestChange::Back));
        }
        if !std::mem::replace(&mut self.switching.manifest_known, true) {
            self.experiments.fleet.touch_all();
        }
        let (added, removed) = self.switching.resources.list(&reading.resources);
        self.end_holds(&removed, step);
        if !added.is_empty() || !removed.is_empty() {
            step.record(Record::Manifest(ManifestChange::Changed { added, removed }));
        }
        self.enlist(step);
        for resource in &reading.resources {
            let Some(said) = &resource.availability else {
                continue;
            };
            let hold = self.switching.resources.read(&resource.name, said, now);
            self.note_holds(hold, step);
            self.mark_dirty(&resource.stub);
        }
        self.end_remembered_holds(step);
    }

    /// Ends holds that were restored but that book no longer reports.
    fn end_remembered_holds(&mut self, step: &mut Step) {
        let resources = &self.switching.resources;
        let has_ended = |resource: &&ResourceName| {
            let bookable = resources.bookable(resource);
            bookable.is_some_and(|now| now != Bookable::Held)
        };
        let held = self.groups.holds.iter().map(|(resource, _)| resource);
        let ended = held.filter(has_ended).cloned();
        let ended: Vec<HoldChange> = ended.map(|resource| (resource, None)).collect();
        self.note_holds(ended, step);
    }

    /// Handles an empty manifest: book has lost it, and what was known stays.
    pub(super) fn lose_manifest(&mut self, step: &mut Step) {
        if self.switching.manifest_lost.is_none() {
            self.switching.manifest_lost = Some(self.now);
            step.record(Record::Manifest(ManifestChange::Lost));
        }
    }

    /// Updates the experiments' required resources and streams from book's list.
    pub(super) fn enlist(&mut self, step: &mut Step) {
        let now = self.now;
        let mut listed = self.switching.resources.by_stub();
        let mut changed = Vec::new();
        let fleet = &mut self.experiments.fleet;
        let known: Vec<(Id, Stub)> = fleet.iter().map(|(id, e)| (id, e.stub.clone())).collect();
        for (id, stub) in known {
            let (resources, streams) = listed.remove(&stub).unwrap_or_default();
            if fleet.enlist(id, resources, &streams, now) {
                changed.push(id);
            }
        }
        for (stub, (resources, streams)) in listed {
            let Some(id) = fleet.add(&stub, now) else {
                continue;
            };
            fleet.enlist(id, resources, &streams, now);
            changed.push(id);
        }
        for id in changed {
            let experiment = self.experiments.fleet.get(id);
            if experiment.is_some_and(Experiment::is_orphan) {
                self.forget(id, step);
            } else {
                self.evaluate(id, Why::Manifest, step);
            }
        }
        // Marks experiments whose listing in book changed as pending: that is itself notified.
        self.consider(|experiment| !experiment.listed());
    }

    pub(super) fn switched(
        &mut self,
        resource: ResourceName,
        outcome: SwitchOutcome,
        step: &mut Step,
    ) {
        let stub = self.switching.resources.stub(&resource).cloned();
        let resources = &mut self.switching.resources;
        let hold = resources.switched(&resource, &outcome, self.now);
        if let Some(stub) = stub {
            self.mark_dirty(&stub);
            step.record(Record::Switched {
                resource,
                stub,
                outcome,
            });
        }
        self.note_holds(hold, step);
    }

    pub(super) fn sampled(&mut self, topic: &Topic, outcome: &SampleOutcome, step: &mut Step) {
        let Experiments { fleet, sampler, .. } = &mut self.experiments;
        let was = fleet.peek_stream(topic.as_str());
        let was = was.map_or(SampleEvidence::Unverified, |stream| stream.evidence);
        let evidence = sampler.sampled(topic, outcome, was, &self.policy, self.now);
        if let Some(id) = evidence.and_then(|evidence| fleet.note_evidence(topic, evidence)) {
            self.evaluate(id, Why::Observed, step);
        }
    }

    pub(super) fn delivered(
        &mut self,
        id: u64,
        outcome: &Result<Delivered, DeliveryFault>,
        step: &mut Step,
    ) {
        step.record(Record::Delivered {
            id,
            outcome: outcome.clone(),
        });
        self.groups.categories.mark_dirty();
        let (route, news) = self
            .notifications
            .delivered(id, outcome, self.now)
            .unwrap_or_else(|| (RouteName::everybody(), Vec::new()));
        // Before the message's own wait: what the others know now may supersede it for these
        // recipients alone.
        step.records.extend(self.notifications.take_records());
        for notified in news {
            if let Notified::Experiment(stub, _) = &notified {
                let (now, is_listed) = (self.now, self.switching.manifest_known);
                match self.experiments.fleet.named(stub.as_str()) {
                    Some(known) => self.notifications.note_change(known, is_listed, now),
                    None => self.notifications.forget(stub, now),
                }
            }
            step.record(Record::Notified {
                route: route.clone(),
                notified,
            });
        }
    }

    /// Changes the role. A new leader compares everything again.
    pub(super) fn take_role(&mut self, role: Role) {
        self.role = role;
        if role == Role::Leader {
            self.switching.resources.reconsider_all();
        }
    }

    /// Removes the holds of resources that book no longer lists: when they come back, book reports
    /// them anew.
    fn end_holds(&mut self, removed: &[ResourceName], step: &mut Step) {
        let held = removed.iter().filter(|one| self.groups.holds.is_held(one));
        let ended: Vec<HoldChange> = held.map(|resource| (resource.clone(), None)).collect();
        self.note_holds(ended, step);
    }

    /// Takes note of manual holds, or of their ends.
    fn note_holds(&mut self, changes: impl IntoIterator<Item = HoldChange>, step: &mut Step) {
        let holds = &mut self.groups.holds;
        for (resource, reason) in changes {
            match &reason {
                Some(reason) => drop(holds.held(&resource, reason, self.now.wall())),
                None => drop(holds.released(&resource)),
            }
            self.views.derived.holds_changed();
            self.groups.categories.mark_dirty();
            step.record(Record::Hold { resource, reason });
        }
    }
}
