//! The driver as one of several replicas: the newest observations, so that the engine can be
//! resumed from another state with current observations; and the effects that wait for a commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cluster::{CommitTicket, Membership, Standing, difference};
use engine::model::{Moment, SourceName};
use engine::{Effect, Engine, Input, Role, Rules, Sampling, State, StateChange};

/// State of a replica beside its engine.
#[derive(Debug)]
pub(super) struct Replica {
    membership: Membership,
    /// The rules in force.
    rules: Rules,
    latest: Latest,
    role: Role,
    term: u64,
    /// The version of the last adopted standing.
    version: u64,
    /// How many switches and notifications are in flight.
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

    /// The role and state of this replica, if new.
    pub(super) fn standing(&mut self) -> Option<Standing> {
        let standing = self.membership.standing();
        let is_new = std::mem::replace(&mut self.version, standing.version) != standing.version;
        is_new.then_some(standing)
    }

    /// Whether it leads already and should go on. Then the state in etcd was changed from outside,
    /// and is overwritten with what this replica knows.
    pub(super) fn restores(&mut self, standing: &Standing, known: &State) -> bool {
        let leads = [(self.role, self.term), (standing.role, standing.term)];
        let is_restored = leads == [(Role::Leader, standing.term); 2];
        if is_restored {
            self.commit_news(standing, known);
        }
        is_restored
    }

    /// Commits what is known beside the state in etcd.
    pub(super) fn commit_news(&mut self, standing: &Standing, known: &State) {
        let there = standing.state.as_deref().cloned().unwrap_or_default();
        self.commit(&difference(&there, known), &[], false);
    }

    /// Notes an input, and returns it as the engine is to receive it.
    pub(super) fn note(&mut self, input: Input, now: Moment) -> Input {
        if let Input::Adopt(rules) = input {
            self.rules = *rules;
            return Input::Adopt(Box::new(self.rules()));
        }
        if matches!(input, Input::Switched { .. } | Input::Delivered { .. }) {
            self.outstanding = self.outstanding.saturating_sub(1);
        }
        self.latest.note(&input, now);
        input
    }

    /// The rules for this replica: only the leader samples.
    fn rules(&self) -> Rules {
        let mut rules = self.rules.clone();
        if self.role == Role::Follower {
            rules.policy.sample = Sampling::Never;
        }
        rules
    }

    /// Commits what must be in etcd before these effects are carried out; also nothing, so that the
    /// lead is proven.
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

    /// Reports how many effects are in flight, after the outcomes of the others are committed.
    pub(super) fn say_outstanding(&self) {
        self.membership.note_outstanding(self.outstanding);
    }

    pub(super) fn is_committed(&self, ticket: CommitTicket) -> bool {
        self.membership.is_committed(ticket)
    }

    /// Whether an effect may be carried out now. An outward one counts as in flight from then on.
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

    /// The engine that replaces this one: it goes on from this state with the latest observations.
    /// Also the effects that it asks for.
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
        // An etcd without any state gets the state that this replica has stored.
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

/// Whether only the leader carries out an effect.
fn is_outward(effect: &Effect) -> bool {
    match effect {
        Effect::Switch(_) | Effect::Notify(_) => true,
        Effect::Ask(_) | Effect::Reconnect(_) | Effect::Sample(_) | Effect::CheckPage(_) => false,
    }
}

type Seen = (Input, Moment);

/// What kind of input one is, in the order in which an engine receives them, and of which part of
/// the laboratory.
type Kind = (u8, Arc<str>);

/// The newest input of each kind, with when it came.
#[derive(Debug, Default)]
struct Latest(BTreeMap<Kind, Seen>);

/// Reports come last. Their age matters: what they say is meant for that moment.
const REPORT: u8 = 5;

impl Latest {
    fn note(&mut self, input: &Input, now: Moment) {
        let failed: Kind = (4, Arc::from(""));
        let kind: Kind = match input {
            Input::Component(component) => (0, Arc::clone(&component.name)),
            Input::ComponentGone(name) => {
                self.0.remove(&(0, Arc::clone(name)));
                return;
            }
            Input::Canary(_) => (1, Arc::from("canary")),
            Input::Link(source, _) => (1, Arc::from(source.as_str())),
            Input::Book(_) => {
                self.0.remove(&failed);
                (2, Arc::from(""))
            }
            Input::Timetable(_) => (3, Arc::from("")),
            Input::BookFailed(_) => failed,
            Input::Report(source, _) => (REPORT, Arc::from(source.as_str())),
            Input::Switched { .. }
            | Input::Sampled { .. }
            | Input::PageChecked { .. }
            | Input::DeliveryBegun(_)
            | Input::Retry(_)
            | Input::Delivered { .. }
            | Input::Command(_)
            | Input::Role(_)
            | Input::Adopt(_)
            | Input::Wake => return,
        };
        self.0.insert(kind, (input.clone(), now));
    }

    /// The start time of an engine that gets all of them.
    fn start(&self, now: Moment) -> Moment {
        let reports = self.0.iter().filter(|((kind, _), _)| *kind == REPORT);
        reports.map(|(_, (_, at))| *at).min().unwrap_or(now)
    }

    /// All of them, in an order in which none is late: those without an age come first.
    fn all(&self, start: Moment) -> Vec<Seen> {
        let all = self.0.iter().map(|((kind, _), (input, at))| {
            let at = if *kind == REPORT { *at } else { start };
            (input.clone(), at)
        });
        let mut all: Vec<Seen> = all.collect();
        all.sort_by_key(|(_, at)| *at);
        all
    }
}

/// What a new leader requests at once: the resources may have changed since the last poll.
pub(super) const ASKS_FIRST: Effect = Effect::Ask(SourceName::Book);
