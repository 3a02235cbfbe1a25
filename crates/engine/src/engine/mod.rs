//! The engine: takes an input and the time, updates its state, and returns what has to be done.

mod adoption;
mod bookkeeping;
mod categories;
mod commands;
mod derived;
mod durable;
mod evaluation;
mod intake;
mod notification;
mod outbox;
mod pages;
mod plan;
pub(crate) mod restored;
mod snapshot;
pub(crate) mod views;

use std::time::Duration;

use self::durable::DurableState;
use self::views::Views;
use crate::experiments::Experiments;
use crate::experiments::experiment::EvaluationContext;
use crate::groups::Groups;
use crate::model::{Moment, SourceName};
use crate::notifications::Notifications;
use crate::protocol::{Input, Policy, PolicyAcknowledgements, Role, State, Step};
use crate::sources::Sources;
use crate::suppressions::Suppressions;
use crate::switching::Switching;

/// The shortest time between two wakes, so that no deadline can make the loop spin.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// All decisions of labwatch. Each part owns its state; the engine passes an input to the parts
/// that it concerns, and runs them in a fixed order.
#[derive(Debug, Clone)]
pub struct Engine {
    policy: Policy,
    started: Moment,
    now: Moment,
    role: Role,
    is_shadow: bool,
    sources: Sources,
    experiments: Experiments,
    switching: Switching,
    notifications: Notifications,
    suppressions: Suppressions,
    groups: Groups,
    acknowledged: PolicyAcknowledgements,
    views: Views,
    durable: DurableState,
}

impl Engine {
    /// An engine without state and without routes.
    pub fn new(policy: Policy, now: Moment) -> Self {
        Self {
            policy,
            started: now,
            now,
            role: Role::Leader,
            is_shadow: false,
            sources: Sources::new(&policy, now),
            experiments: Experiments::new(now),
            switching: Switching::default(),
            notifications: Notifications::default(),
            suppressions: Suppressions::default(),
            groups: Groups::default(),
            acknowledged: PolicyAcknowledgements::default(),
            views: Views::default(),
            durable: DurableState::default(),
        }
    }

    /// The same engine, which has no effects until it becomes the leader.
    #[must_use]
    pub fn only_watching(mut self) -> Self {
        self.take_role(Role::Follower);
        self
    }

    /// The same engine in shadow mode: its snapshots say that its effects are recorded and not
    /// carried out.
    #[must_use]
    pub fn in_shadow(mut self) -> Self {
        self.is_shadow = true;
        self
    }

    /// Applies an input at this moment and returns records and effects in order. A moment before an
    /// earlier one counts as that one.
    pub fn step(&mut self, input: Input, now: Moment) -> Step {
        self.now = self.now.max(now);
        let now = self.now;
        self.views.version += 1;
        let mut step = Step::default();
        match input {
            Input::Report(source, report) => self.report(source, &report, &mut step),
            Input::Link(source, link) => self.sources.get_mut(source).linked(link, now),
            Input::Book(reading) => self.read_book(&reading, &mut step),
            Input::BookFailed(fault) => self.sources.book.failed(fault, now),
            Input::Timetable(timetable) => {
                self.read_timetable(&timetable);
                self.read_pages(&timetable, &mut step);
                self.keep_books(&timetable, &mut step);
            }
            Input::Switched { resource, outcome } => self.switched(resource, outcome, &mut step),
            Input::Sampled { topic, outcome } => self.sampled(&topic, &outcome, &mut step),
            Input::PageChecked { page, outcome } => self.experiments.pages.checked(&page, &outcome),
            Input::Canary(canary) => {
                let settle = self.policy.settle;
                self.sources.relay.note_canary(&canary, settle, now);
            }
            Input::DeliveryBegun(id) => self.notifications.begun(id, now),
            Input::Retry(channel) => self.notifications.retry(channel, now),
            Input::Delivered { id, outcome } => self.delivered(id, &outcome, &mut step),
            Input::Command(order) => self.command(order, &mut step),
            Input::Component(component) => self.component(component, now),
            Input::ComponentGone(name) => self.component_gone(&name),
            Input::Role(role) => self.take_role(role),
            Input::Adopt(rules) => self.adopt(*rules, &mut step),
            Input::Wake => {}
        }
        self.settle(&mut step);
        self.keep_track(&mut step);
        self.durable.follow(&mut step, now.wall());
        step
    }

    /// Everything that survives a restart. [`Engine::resume`] is its inverse.
    pub fn state(&self) -> &State {
        self.durable.map()
    }

    /// When to call `step` with [`Input::Wake`] if no other input comes. Always after the last
    /// step.
    pub fn next_deadline(&self) -> Option<Moment> {
        let (policy, now) = (&self.policy, self.now);
        let outage = self
            .outage_at()
            .filter(|_| !self.sources.outage && self.sources.blind.is_none());
        let everywhere = [
            self.sources.deadline(policy),
            self.experiments.deadline(policy, &self.sources, now),
            self.suppressions.deadline(now),
            outage,
        ];
        let leads = [
            self.groups.deadline(),
            self.switching.deadline(&self.sources),
            self.notify_deadline().filter(|_| self.may_notify()),
        ];
        let leads = leads.into_iter().filter(|_| self.role == Role::Leader);
        let next = everywhere.into_iter().chain(leads).flatten().min()?;
        Some(next.max(now + SHORTEST_WAIT))
    }

    /// Updates every part, in order of dependency: quarantine before switching decisions, and
    /// switching before the notifications that mention it.
    fn settle(&mut self, step: &mut Step) {
        for name in SourceName::ALL {
            self.evaluate_source(name, step);
        }
        self.sources.evaluate_cut_off(self.now, step);
        self.evaluate_outage(step);
        self.evaluate_due(step);
        self.sources.maintain(&self.policy, self.now, step);
        self.experiments
            .maintain_sampling(&self.policy, &self.sources, self.now, step);
        self.end_round_of_pages(step);
        self.experiments
            .maintain_pages(&self.policy, self.sources.blind.is_some(), self.now, step);
        if self.suppressions.maintain(self.now.wall(), step) {
            self.groups.categories.mark_dirty();
            self.experiments.fleet.touch_all();
        }
        self.evaluate_categories(step);
        if self.role == Role::Leader {
            if self.switching.may_switch(&self.sources) {
                let quarantined = self.groups.categories.quarantined();
                self.switching
                    .switch(&self.experiments.fleet, quarantined, self.now, step);
            }
            self.notify(step);
        }
    }

    fn context(&self) -> EvaluationContext {
        EvaluationContext {
            policy: self.policy,
            now: self.now,
            relay: self.sources.relay.status(self.now),
            jump: self.sources.jump.status(self.now),
            outage: self.sources.outage,
            sampling: self.experiments.sampling && self.experiments.sampler.broken().is_none(),
            unconfirmed_report: self.experiments.fleet.unconfirmed_report,
            manifest_known: self.switching.manifest_known,
            may_evaluate: self.switching.may_evaluate(&self.sources),
        }
    }
}
