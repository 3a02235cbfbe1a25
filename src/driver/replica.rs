//! The driver as one of several replicas: the newest observations, so that an engine that is
//! resumed from another state knows the current situation at once; and effects that wait for their
//! commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cluster::{CommitTicket, Membership, Standing, difference};
use engine::model::{Moment, SourceName};
use engine::{Effect, Engine, Input, Role, Rules, Sampling, State, StateChange};

/// The replica's state besides the engine.
#[derive(Debug)]
pub(super) struct Replica {
    membership: Membership,
    /// The rules in force.
    rules: Rules,
    latest: Latest,
    role: Role,
    term: u64,
    /// The version of the last standing that was applied.
    version: u64,
    /// How many switches and summaries are under way.
    outstanding: usize,
}

impl Replica {
    pub(super) fn new(membership: Membership, rules: Rules) -> Self {
        Self {
            membership,
            rules,
            latest: Latest::default(),
            role: Role::Follower,
            term: 0,
            version: 0,
            outstanding: 0,
        }
    }

    pub(super) async fn changed(&mut self) {
        self.membership.changed().await;
    }

    /// The standing of this replica, where it is new.
    pub(super) fn standing(&mut self) -> Option<Standing> {
        let standing = self.membership.standing();
        let is_new = std::mem::replace(&mut self.version, standing.version) != standing.version;
        is_new.then_some(standing)
    }

    /// Whether it leads already in this term. Then the state in etcd was changed by an outside
    /// writer, and this replica's state is restored there.
    pub(super) fn restores(&mut self, standing: &Standing, known: &State) -> bool {
        let leads = [(self.role, self.term), (standing.role, standing.term)];
        let is_restored = leads == [(Role::Leader, standing.term); 2];
        if is_restored {
            self.commit_news(standing, known);
        }
        is_restored
    }

    /// Commits the changes of this replica's state against that in etcd.
    pub(super) fn commit_news(&mut self, standing: &Standing, known: &State) {
        let there = standing.state.as_deref().cloned().unwrap_or_default();
        self.commit(&difference(&there, known), &[], false);
    }

    /// Notes an input, and returns it as the engine is to get it.
    pub(super) fn note(&mut self, input: Input, now: Moment) -> Input {
        match input {
            Input::Switched { .. } | Input::Delivered { .. } => {
                self.outstanding = self.outstanding.saturating_sub(1);
                input
            }
            Input::Adopt(rules) => {
                self.rules = *rules;
                Input::Adopt(Box::new(self.rules()))
            }
            Input::Report(..)
            | Input::Link(..)
            | Input::Book(_)
            | Input::BookFailed(_)
            | Input::Timetable(_)
            | Input::Canary(_)
            | Input::Sampled { .. }
            | Input::PageChecked { .. }
            | Input::Command(_)
            | Input::Component(_)
            | Input::ComponentGone(_)
            | Input::Role(_)
            | Input::DeliveryBegun(_)
            | Input::Retry(_)
            | Input::Wake => {
                self.latest.note(&input, now);
                input
            }
        }
    }

    /// The rules of this replica: only the leader samples.
    fn rules(&self) -> Rules {
        let mut rules = self.rules.clone();
        if self.role == Role::Follower {
            rules.policy.sample = Sampling::Never;
        }
        rules
    }

    /// Commits what must be in etcd before these effects are carried out; also an empty change, so
    /// that leadership is proven.
    pub(super) fn commit(
        &mut self,
        changes: &[StateChange],
        effects: &[Effect],
        is_answered: bool,
    ) -> Option<CommitTicket> {
        let is_needed = !changes.is_empty() || is_answered || effects.iter().any(is_outward);
        (self.role == Role::Leader && is_needed)
            .then(|| self.membership.commit(self.term, changes.to_vec()))
    }

    /// Publishes how many effects are under way, after the outcome of the others is committed.
    pub(super) fn say_outstanding(&self) {
        self.membership.note_outstanding(self.outstanding);
    }

    pub(super) fn is_committed(&self, ticket: CommitTicket) -> bool {
        self.membership.is_committed(ticket)
    }

    /// Whether an effect may be carried out now. An outward one then counts as under way.
    pub(super) fn admits(&mut self, effect: &Effect) -> bool {
        if !is_outward(effect) {
            return true;
        }
        let admits = self.role == Role::Leader && self.membership.may_act();
        if admits {
            self.outstanding += 1;
            self.say_outstanding();
        }
        admits
    }

    /// The engine that replaces this one: resumed from this state, with the latest observations.
    /// Also its effects.
    pub(super) fn succeed(
        &mut self,
        before: &Engine,
        standing: &Standing,
        now: Moment,
    ) -> (Engine, Vec<Effect>) {
        (self.role, self.term) = (standing.role, standing.term);
        if standing.role == Role::Leader {
            self.membership.begin();
        }
        // An etcd without any state is merged with this replica's own.
        let in_etcd = standing.state.as_deref();
        let kept = in_etcd.filter(|state| !state.is_empty() && !standing.is_ours_later);
        let later = standing.later.as_deref();
        let state: &State = kept.or(later).unwrap_or(before.state());
        let start = self.latest.start(now);
        let mut engine = Engine::resume(self.rules(), state, start)
            .only_watching()
            .in_place_of(before);
        let mut effects = Vec::new();
        for (input, at) in self.latest.all(start) {
            effects.extend(engine.step(input, at).effects);
        }
        effects.retain(|effect| !is_outward(effect));
        (engine, effects)
    }
}

/// Whether an effect is the leader's alone.
fn is_outward(effect: &Effect) -> bool {
    match effect {
        Effect::Switch(_) | Effect::Notify(_) => true,
        Effect::Ask(_) | Effect::Reconnect(_) | Effect::Sample(_) | Effect::CheckPage(_) => false,
    }
}

type Seen = (Input, Moment);

/// The newest input of each kind, with when it came.
#[derive(Debug, Default)]
struct Latest {
    links: BTreeMap<&'static str, Input>,
    components: BTreeMap<Arc<str>, Input>,
    book: Option<Input>,
    book_failed: Option<Input>,
    timetable: Option<Input>,
    /// Of relay and jump. Their age matters: they are true for that moment.
    reports: BTreeMap<&'static str, Seen>,
}

impl Latest {
    fn note(&mut self, input: &Input, now: Moment) {
        match input {
            Input::Report(source, _) => {
                self.reports.insert(source.as_str(), (input.clone(), now));
            }
            Input::Link(source, _) => {
                self.links.insert(source.as_str(), input.clone());
            }
            Input::Canary(_) => drop(self.links.insert("canary", input.clone())),
            Input::Book(_) => {
                self.book = Some(input.clone());
                self.book_failed = None;
            }
            Input::BookFailed(_) => self.book_failed = Some(input.clone()),
            Input::Timetable(_) => self.timetable = Some(input.clone()),
            Input::Component(component) => {
                let name = Arc::clone(&component.name);
                self.components.insert(name, input.clone());
            }
            Input::ComponentGone(name) => drop(self.components.remove(name)),
            Input::Switched { .. }
            | Input::Sampled { .. }
            | Input::PageChecked { .. }
            | Input::DeliveryBegun(_)
            | Input::Retry(_)
            | Input::Delivered { .. }
            | Input::Command(_)
            | Input::Role(_)
            | Input::Adopt(_)
            | Input::Wake => {}
        }
    }

    /// When an engine has to start that gets all of it as input.
    fn start(&self, now: Moment) -> Moment {
        let reports = self.reports.values().map(|(_, at)| *at);
        reports.min().unwrap_or(now)
    }

    /// All of it, ordered by time; inputs without an age come first.
    fn all(&self, start: Moment) -> Vec<Seen> {
        let ageless = self
            .components
            .values()
            .chain(self.links.values())
            .chain(&self.book)
            .chain(&self.timetable)
            .chain(&self.book_failed);
        let mut reports: Vec<Seen> = self.reports.values().cloned().collect();
        reports.sort_by_key(|(_, at)| *at);
        ageless
            .map(|input| (input.clone(), start))
            .chain(reports)
            .collect()
    }
}

/// The first effect of a new leader: resources may have changed since the last poll.
pub(super) const ASKS_FIRST: Effect = Effect::Ask(SourceName::Book);
