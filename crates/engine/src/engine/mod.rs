//! The engine: takes an input and the time, brings its state up to date, and says what is to be done.

mod adoption;
mod bookkeeping;
mod categories;
mod commands;
mod context;
mod derived;
mod durable;
mod evaluation;
mod intake;
pub(crate) mod memory;
mod notification;
mod outbox;
mod plan;
mod snapshot;
mod suppression;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use self::derived::DerivedViews;
use self::durable::DurableState;
use crate::experiments::experiment::EvaluationContext;
use crate::experiments::fleet::Fleet;
use crate::experiments::sampling::Sampler;
use crate::groups::booking_history::BookingHistory;
use crate::groups::bookings::Calendar;
use crate::groups::category::Categories;
use crate::groups::holds::{DEFAULT_OVERDUE_AFTER, ManualHolds};
use crate::groups::pool::{PoolRule, Pools};
use crate::model::{Moment, SourceName, Stub};
use crate::notifications::Telling;
use crate::notifications::advice::Advice;
use crate::protocol::category::ComponentHealth;
use crate::protocol::effect::Step;
use crate::protocol::input::{Input, Role};
use crate::protocol::policy::{Asking, Policy};
use crate::protocol::snapshot::{Counts, ExperimentView};
use crate::protocol::state::State;
use crate::sources::source::Source;
use crate::suppressions::ActiveSuppressions;
use crate::switching::availability::Resources;
use suppression::SuppressedNow;

/// No source is asked for reports more often than this: relay answers at most once a second.
const ASK_AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// The shortest time between two wakes, so that no deadline can make the loop spin.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// The judgement's whole state. One owner, one loop.
#[derive(Debug, Clone)]
pub struct Engine {
    policy: Policy,
    started: Moment,
    now: Moment,
    role: Role,
    fleet: Fleet,
    resources: Resources,
    categories: Categories,
    /// The components that the engine is told of.
    components: BTreeMap<Arc<str>, ComponentHealth>,
    /// Whether the start is over.
    has_started: bool,
    relay: Source,
    jump: Source,
    book: Source,
    sampler: Sampler,
    sampling: bool,
    sampling_told: Option<bool>,
    telling: Telling,
    manifest_known: bool,
    manifest_lost: Option<Moment>,
    blind: Option<Moment>,
    outage: bool,
    version: u64,
    /// The version at which what readers see of experiments and around them last changed.
    views_version: u64,
    views: Arc<Vec<Arc<ExperimentView>>>,
    counts: Counts,
    calendar: Arc<Calendar>,
    pool_rules: Vec<PoolRule>,
    pools: Arc<Pools>,
    holds: ManualHolds,
    derived: DerivedViews,
    quiet: Arc<ActiveSuppressions>,
    /// How quiet it is now; `None` when that is to be found out anew.
    suppressed_now: Option<SuppressedNow>,
    booking_history: BookingHistory,
    durable: DurableState,
    /// The pools that the history knows.
    pools_kept: BTreeMap<String, Vec<Stub>>,
}

impl Engine {
    /// An engine that knows nothing yet and has nobody to tell.
    #[must_use]
    pub fn new(policy: Policy, now: Moment) -> Self {
        let [relay, jump, book] =
            SourceName::ALL.map(|name| Source::new(name, ask_every(&policy, name), now));
        Self {
            policy,
            started: now,
            now,
            role: Role::Leader,
            fleet: Fleet::new(),
            resources: Resources::default(),
            categories: Categories::default(),
            components: BTreeMap::new(),
            has_started: false,
            relay,
            jump,
            book,
            sampler: Sampler::new(now),
            sampling: false,
            sampling_told: None,
            telling: Telling::default(),
            manifest_known: false,
            manifest_lost: None,
            blind: None,
            outage: false,
            version: 0,
            views_version: 0,
            views: Arc::default(),
            counts: Counts::default(),
            calendar: Arc::default(),
            pool_rules: Vec::new(),
            pools: Arc::default(),
            holds: ManualHolds::new(DEFAULT_OVERDUE_AFTER),
            derived: DerivedViews::default(),
            quiet: Arc::default(),
            suppressed_now: None,
            booking_history: BookingHistory::default(),
            durable: DurableState::default(),
            pools_kept: BTreeMap::new(),
        }
    }

    /// The same engine with these texts for maintainers, and with these pools beside those that it finds itself.
    #[must_use]
    pub fn knowing(mut self, advice: Advice, pools: Vec<PoolRule>) -> Self {
        self.derived.adopt(advice);
        self.pool_rules = pools;
        self
    }

    /// The same engine, which does nothing outward until it is told to lead.
    #[must_use]
    pub fn only_watching(mut self) -> Self {
        self.take_role(Role::Follower);
        self
    }

    /// Takes an input at this moment and says what is to be done, in this order. A moment before an earlier one counts as that one.
    pub fn step(&mut self, input: Input, now: Moment) -> Step {
        self.now = self.now.max(now);
        let now = self.now;
        self.version += 1;
        let mut step = Step::default();
        match input {
            Input::Report(source, report) => self.report(source, &report, &mut step),
            Input::Link(source, link) => self.source_mut(source).linked(link, now),
            Input::Book(reading) => self.read_book(&reading, &mut step),
            Input::BookFailed(fault) => self.book.failed(fault, now),
            Input::Timetable(timetable) => {
                self.read_timetable(&timetable);
                self.keep_books(&timetable, &mut step);
            }
            Input::Switched { resource, outcome } => self.switched(resource, outcome, &mut step),
            Input::Sampled { topic, outcome } => self.sampled(&topic, &outcome, &mut step),
            Input::Delivered { id, outcome } => self.delivered(id, &outcome, &mut step),
            Input::Command(order) => self.command(order, &mut step),
            Input::Component(component) => self.component(component),
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
    #[must_use]
    pub fn state(&self) -> &State {
        self.durable.map()
    }

    /// When to call `step` with [`Input::Wake`] if no other input comes. Always after the last step.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        let leads = self.role == Role::Leader;
        let outage = self
            .outage_at()
            .filter(|_| !self.outage && self.blind.is_none());
        let switch = self
            .resources
            .deadline()
            .filter(|_| leads && self.may_switch());
        let notify = self
            .notify_deadline()
            .filter(|_| leads && self.may_notify());
        let sample = self
            .sampler
            .deadline(&self.policy)
            .filter(|_| self.is_listening());
        let candidates = [
            self.fleet.deadline(),
            self.relay.deadline(self.ask_every(SourceName::Relay)),
            self.jump.deadline(self.ask_every(SourceName::Jump)),
            self.book.deadline(None),
            outage,
            self.suppression_deadline(),
            switch,
            notify,
            sample,
            self.categories
                .deadline()
                .filter(|_| leads && self.has_started),
        ];
        let next = candidates.into_iter().flatten().min()?;
        Some(next.max(self.now + SHORTEST_WAIT))
    }

    fn settle(&mut self, step: &mut Step) {
        for name in SourceName::ALL {
            self.evaluate_source(name, step);
        }
        self.evaluate_cut_off(step);
        self.evaluate_outage(step);
        self.evaluate_due(step);
        self.maintain_sources(step);
        self.maintain_sampling(step);
        self.maintain_suppressions(step);
        // What is quarantined must be known before it is decided what to switch.
        self.evaluate_categories(step);
        if self.role == Role::Leader {
            self.switch(step);
            self.notify(step);
        }
    }

    fn source(&self, name: SourceName) -> &Source {
        match name {
            SourceName::Relay => &self.relay,
            SourceName::Jump => &self.jump,
            SourceName::Book => &self.book,
        }
    }

    fn source_mut(&mut self, name: SourceName) -> &mut Source {
        match name {
            SourceName::Relay => &mut self.relay,
            SourceName::Jump => &mut self.jump,
            SourceName::Book => &mut self.book,
        }
    }

    fn ask_every(&self, name: SourceName) -> Option<Duration> {
        ask_every(&self.policy, name)
    }

    fn is_listening(&self) -> bool {
        self.sampling && self.relay.telling(self.now).tells
    }

    fn context(&self) -> EvaluationContext {
        EvaluationContext {
            policy: self.policy,
            now: self.now,
            relay: self.relay.telling(self.now),
            jump: self.jump.telling(self.now),
            outage: self.outage,
            sampling: self.sampling && self.sampler.broken().is_none(),
            manifest_known: self.manifest_known,
            may_evaluate: self.may_evaluate(),
        }
    }
}

/// How long a source may tell nothing before it is asked: half of what the rules need, so that the answer is there in time.
fn ask_every(policy: &Policy, name: SourceName) -> Option<Duration> {
    let auto = match name {
        SourceName::Relay => policy.last_active.min(policy.last_checked) / 2,
        SourceName::Jump => policy.last_checked / 2,
        SourceName::Book => return None,
    };
    policy.ask.map(|ask| match ask {
        Asking::Auto => auto.max(ASK_AT_MOST_EVERY),
        Asking::Every(every) => every.max(ASK_AT_MOST_EVERY),
    })
}
