//! The driver as one of several replicas: the newest observations, so that the engine can be
//! resumed from another state and knows at once how things are; and what waits for its commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cluster::{CommitTicket, Membership, Standing, difference};
use engine::model::{Moment, SourceName};
use engine::{Effect, Engine, Input, Role, Rules, Sampling, State, StateChange};

/// What is known beside the engine.
#[derive(Debug)]
pub(super) struct Replica {
    membership: Membership,
    /// The rules in force.
    rules: Rules,
    latest: Latest,
    role: Role,
    term: u64,
    /// The standing that was taken up last.
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

    /// Where this replica stands, where that is new.
    pub(super) fn standing(&mut self) -> Option<Standing> {
        let standing = self.membership.standing();
        let is_new = std::mem::replace(&mut self.version, standing.version) != standing.version;
        is_new.then_some(standing)
    }

    /// Whether it leads already as it is to. Then another hand has changed what stands in etcd, and
    /// it is made what this replica knows.
    pub(super) fn restores(&mut self, standing: &Standing, known: &State) -> bool {
        let leads = [(self.role, self.term), (standing.role, standing.term)];
        let is_restored = leads == [(Role::Leader, standing.term); 2];
        if is_restored {
            self.commit_news(standing, known);
        }
        is_restored
    }

    /// Hands over what is known beside what stands in etcd.
    pub(super) fn commit_news(&mut self, standing: &Standing, known: &State) {
        let there = standing.state.as_deref().cloned().unwrap_or_default();
        self.commit(&difference(&there, known), &[], false);
    }

    /// Takes note of an input, and gives it as the engine is to take it.
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

    /// The rules as this replica goes by them: the leader alone samples.
    fn rules(&self) -> Rules {
        let mut rules = self.rules.clone();
        if self.role == Role::Follower {
            rules.policy.sample = Sampling::Never;
        }
        rules
    }

    /// Hands over what must be in etcd before these effects are carried out; also nothing, so that
    /// the lead is proven.
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

    /// Says how much is under way, after what came of the rest is handed over.
    pub(super) fn say_outstanding(&self) {
        self.membership.note_outstanding(self.outstanding);
    }

    pub(super) fn is_committed(&self, ticket: CommitTicket) -> bool {
        self.membership.is_committed(ticket)
    }

    /// Whether an effect may be carried out now. One that is outward counts as under way then.
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

    /// The engine in the place of this one, which goes on from this state and knows what was last
    /// observed. Also what it asks for.
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
        // An etcd without any state is joined with what this replica has kept.
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

/// What kind of input one is, in the order in which an engine is told them, and of which part of
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

    /// When an engine has to start that is told all of it.
    fn start(&self, now: Moment) -> Moment {
        let reports = self.0.iter().filter(|((kind, _), _)| *kind == REPORT);
        reports.map(|(_, (_, at))| *at).min().unwrap_or(now)
    }

    /// All of it, in an order in which nothing is late: what has no age comes first.
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

/// What a new leader asks for at once: how the resources stand may have changed since the last
/// poll.
pub(super) const ASKS_FIRST: Effect = Effect::Ask(SourceName::Book);
