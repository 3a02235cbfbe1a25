//! One experiment: its observations, its evaluation, and the ring of its events.

mod evaluation;
mod pages;
mod recall;
pub(crate) mod view;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::experiments::evaluate::{
    self, Evaluation, PageFacts, Presence, SampleEvidence, SourceStatus,
};
use crate::experiments::flapping::Flapping;
use crate::experiments::hysteresis::Hysteresis;
use crate::experiments::stream::{LastSeen, Stream};
use crate::model::{Health, JumpHealth, Moment, ResourceName, Stub, Topic, earliest};
use crate::protocol::{Event, Issue, LastConnection, PageView, Policy};

/// How long after it was last seen an experiment or a stream that book does not list is forgotten.
pub(crate) const FORGET_AFTER: Duration = Duration::from_secs(24 * 3600);

/// The inputs of an evaluation besides the experiment itself.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own; no two exclude each other"
)]
pub(crate) struct EvaluationContext {
    pub(crate) policy: Policy,
    pub(crate) now: Moment,
    pub(crate) relay: SourceStatus,
    pub(crate) jump: SourceStatus,
    /// Relay has reported nothing for `HEALTH_OUTAGE_HOLD`.
    pub(crate) outage: bool,
    /// Streams are sampled whose connections carry no transmission statistics.
    pub(crate) sampling: bool,
    /// The number of relay's newest report where it is the first that shows most of the fleet as
    /// lost: such losses do not count before another report confirms them.
    pub(crate) unconfirmed_report: Option<u64>,
    /// Book's manifest has been read at least once.
    pub(crate) manifest_known: bool,
    /// The requirements of experiments are known, or will not be known soon: before that nothing is
    /// evaluated.
    pub(crate) may_evaluate: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Experiment {
    pub(crate) stub: Stub,
    pub(crate) first_seen: Moment,
    /// Its resources in book, sorted.
    pub(crate) resources: Vec<ResourceName>,
    pub(crate) last_listed: Option<Moment>,
    /// In the order in which they became known, so that their indexes stay valid; views are sorted.
    pub(crate) streams: Vec<Stream>,
    pub(crate) host: LastSeen,
    jump: JumpHealth,
    /// The last known state of the remote login.
    known_jump: JumpHealth,
    pub(crate) health: Health,
    pub(crate) since: Moment,
    /// Since when it is bad, including times in which it was not evaluated.
    pub(crate) bad_since: Option<Moment>,
    /// The worst health of the current bad period, or of the last one.
    pub(crate) worst: Option<Health>,
    /// When its health last changed.
    pub(crate) decided: Moment,
    pub(crate) issues: Vec<Issue>,
    /// The observations of its pages; `None` before book has reported them since the start.
    pages: Option<PageFacts>,
    page_views: Vec<PageView>,
    first_evaluated: bool,
    /// The number of the first of relay's latest consecutive reports that show it lost.
    pub(crate) lost_at: Option<u64>,
    /// Whether something that the evaluation depends on changed since the last one.
    pub(crate) stale: bool,
    evaluated_in_outage: bool,
    holding: Hysteresis,
    flapping: Flapping,
    /// Whether it was usable when last seen, regardless of relay's outages.
    seen_usable: Option<bool>,
    /// What was wrong when it was last seen unusable: what changes while it flaps.
    last_loss: Vec<Issue>,
    /// When an observed change has lasted long enough to count, or flapping ends.
    pub(crate) settles_at: Option<Moment>,
    events: VecDeque<Arc<Event>>,
    /// Its deadline in the fleet's agenda.
    pub(crate) deadline: Option<Moment>,
}

impl Experiment {
    pub(crate) fn new(stub: Stub, now: Moment) -> Self {
        Self {
            stub,
            first_seen: now,
            resources: Vec::new(),
            last_listed: None,
            streams: Vec::new(),
            host: LastSeen::new(now),
            jump: JumpHealth::Unknown,
            known_jump: JumpHealth::Unknown,
            health: Health::Unknown,
            since: now,
            bad_since: None,
            worst: None,
            decided: now,
            issues: Vec::new(),
            pages: None,
            page_views: Vec::new(),
            first_evaluated: false,
            lost_at: None,
            stale: true,
            evaluated_in_outage: false,
            holding: Hysteresis::default(),
            flapping: Flapping::default(),
            seen_usable: None,
            last_loss: Vec::new(),
            settles_at: None,
            events: VecDeque::new(),
            deadline: None,
        }
    }

    /// Its events, oldest first.
    pub(crate) fn events(&self) -> Vec<Arc<Event>> {
        self.events.iter().cloned().collect()
    }

    /// Replaces its latest events, oldest first.
    pub(crate) fn show_events(&mut self, events: Vec<Arc<Event>>) {
        self.events = events.into();
    }

    /// The last known state of the remote login.
    pub(crate) fn login(&self) -> JumpHealth {
        self.known_jump
    }

    pub(crate) fn listed(&self) -> bool {
        !self.resources.is_empty()
    }

    /// Whether nothing is left of it: book does not list it, and no report ever had it.
    pub(crate) fn is_orphan(&self) -> bool {
        let sightings = self.streams.iter().map(|stream| &stream.sighting);
        let mut presences = sightings.chain([&self.host]).map(|it| it.presence);
        !self.listed() && presences.all(|it| matches!(it, Presence::Never { .. }))
    }

    /// Whether it has been evaluated at least once, so that its health means something.
    pub(crate) fn is_evaluated(&self) -> bool {
        self.first_evaluated
    }

    /// Updates its streams from relay's newest report. Pushes the topics of required ones that have
    /// just connected, and returns whether any connected or disconnected.
    pub(crate) fn refresh_streams(
        &mut self,
        newest: u64,
        now: Moment,
        before: Option<Moment>,
        gone: impl Fn(usize) -> Option<LastConnection>,
        returned: &mut Vec<Topic>,
    ) -> bool {
        let mut changed = false;
        for stream in &mut self.streams {
            let was_connected = stream.is_connected();
            changed |= stream.sighting.refresh(newest, now, before, &gone);
            match (was_connected, stream.is_connected()) {
                (true, false) => stream.evidence = SampleEvidence::Unverified,
                (false, true) if stream.required => returned.push(stream.topic.clone()),
                (true, true) | (false, _) => {}
            }
        }
        changed
    }

    /// Notes whether relay's newest report shows it lost: a required stream is missing, or silent
    /// by its statistics.
    pub(crate) fn note_loss(&mut self, newest: u64, last_active: Duration) {
        let mut required = self.streams.iter().filter(|stream| stream.required);
        let is_lost = required.any(|stream| stream.is_lost(last_active));
        self.lost_at = is_lost.then(|| self.lost_at.unwrap_or(newest));
    }

    /// Evaluates it again. Returns whether anything in its view changed; updates the deadline too.
    pub(crate) fn evaluate(&mut self, context: &EvaluationContext) -> Evaluated {
        let mut again = self.grace_end(context).filter(|end| *end > context.now);
        let mut changed = false;
        for stream in &mut self.streams {
            let evaluate = stream.evaluate(context);
            changed |= evaluate.health != stream.health;
            stream.health = evaluate.health;
            again = earliest([again, evaluate.again]);
        }
        let evaluate = self.look_at_host(context);
        changed |= evaluate.health != self.jump;
        self.jump = evaluate.health;
        if evaluate.health != JumpHealth::Unknown {
            self.known_jump = evaluate.health;
        }
        self.stale |= changed;
        let forget = self.forget_at();
        let prune = self
            .streams
            .iter()
            .filter_map(|stream| stream.forget_at(self.listed()))
            .min();
        let again = [again, evaluate.again, forget, prune]
            .into_iter()
            .flatten()
            .filter(|at| *at > context.now)
            .min();
        let due = |at: Option<Moment>| at.is_some_and(|at| context.now >= at);
        Evaluated {
            changed,
            again,
            forget: due(forget),
            prune: due(prune),
        }
    }

    /// Experiments in book have a remote login; any other is evaluated by what was reported, and
    /// may have none.
    fn look_at_host(&self, context: &EvaluationContext) -> Evaluation<JumpHealth> {
        if !self.listed() && matches!(self.host.presence, Presence::Never { .. }) {
            return evaluate::settled(JumpHealth::Unknown);
        }
        evaluate::jump(
            self.host.presence,
            self.jump,
            context.jump,
            &context.policy,
            context.now,
        )
    }

    /// Until when it has its start-up grace; `None` when that is over for good.
    fn grace_end(&self, context: &EvaluationContext) -> Option<Moment> {
        (!self.first_evaluated).then(|| self.first_seen + context.policy.startup)
    }

    /// When it may be forgotten: a day after it was last seen, unless book lists it.
    fn forget_at(&self) -> Option<Moment> {
        if self.listed() {
            return None;
        }
        let sightings = self.streams.iter().map(|stream| &stream.sighting);
        let seen = sightings.chain([&self.host]).map(LastSeen::absent_since);
        let seen: Vec<Moment> = seen.collect::<Option<_>>()?;
        seen.into_iter().max().map(|seen| seen + FORGET_AFTER)
    }
}

/// Result of evaluating an experiment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evaluated {
    pub(crate) changed: bool,
    /// When to evaluate again although no input came.
    pub(crate) again: Option<Moment>,
    /// The experiment may be forgotten.
    pub(crate) forget: bool,
    /// One of its streams may be forgotten.
    pub(crate) prune: bool,
}
