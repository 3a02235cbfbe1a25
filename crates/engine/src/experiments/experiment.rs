//! One experiment: what is observed of it, how it is evaluated, and the ring of its events.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::experiments::evaluate::{self, Evaluation, Heard, Presence, Telling};
use crate::experiments::flapping::{FlapRule, FlapTurn, Flapping};
use crate::experiments::hysteresis::Hysteresis;
use crate::experiments::stream::{LastSeen, Stream};
use crate::groups::bookings::Affected;
use crate::model::{Health, JumpHealth, Moment, ResourceName, StreamHealth, Stub, Topic};
use crate::protocol::event::{Event, Issue, Why};
use crate::protocol::policy::Policy;
use crate::protocol::snapshot::{
    ExperimentView, FlapView, LastConnection, ResourceView, StreamView,
};
use crate::protocol::state::ExperimentState;
use crate::suppressions::Suppression;

/// How long after it was last seen an experiment (or a stream) that book does not list is forgotten.
pub(crate) const FORGET_AFTER: Duration = Duration::from_secs(24 * 3600);

/// Everything that an evaluation looks at beside the experiment itself.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own; no two exclude each other"
)]
pub(crate) struct EvaluationContext {
    pub(crate) policy: Policy,
    pub(crate) now: Moment,
    pub(crate) relay: Telling,
    pub(crate) jump: Telling,
    /// Relay has reported nothing for `HEALTH_OUTAGE_HOLD`.
    pub(crate) outage: bool,
    /// Streams whose connection reports nothing of transmission are being listened to.
    pub(crate) sampling: bool,
    /// The number of relay's newest report where most of the fleet is lost in it for the first time: what it alone shows is not counted
    /// before another report shows the same.
    pub(crate) unconfirmed_report: Option<u64>,
    /// Book's manifest has been read at least once.
    pub(crate) manifest_known: bool,
    /// It is known what experiments must have, or it will not be known soon: before that nothing is evaluated.
    pub(crate) may_evaluate: bool,
}

/// An experiment.
#[derive(Debug, Clone)]
pub(crate) struct Experiment {
    pub(crate) stub: Stub,
    pub(crate) first_seen: Moment,
    /// The resources that it is in book, sorted.
    pub(crate) resources: Vec<ResourceName>,
    pub(crate) last_listed: Option<Moment>,
    /// In the order in which they became known, so that their places stay; what is shown is sorted.
    pub(crate) streams: Vec<Stream>,
    pub(crate) host: LastSeen,
    jump: JumpHealth,
    /// The remote login as it last was known.
    known_jump: JumpHealth,
    pub(crate) health: Health,
    pub(crate) since: Moment,
    /// Since when it has been other than ok, across everything that was not evaluated.
    pub(crate) bad_since: Option<Moment>,
    /// The worst that it is, or was the last time, while not ok.
    pub(crate) worst: Option<Health>,
    /// When it was last found to be another than before.
    pub(crate) decided: Moment,
    pub(crate) issues: Vec<Issue>,
    first_judged: bool,
    /// The number of the first of relay's latest reports that all show it lost.
    pub(crate) lost_at: Option<u64>,
    /// Whether something that the evaluation depends on changed since the last one.
    pub(crate) stale: bool,
    judged_in_outage: bool,
    holding: Hysteresis,
    flapping: Flapping,
    /// Whether it was usable when that was last seen, apart from what relay's silence makes of it.
    seen_usable: Option<bool>,
    /// What was wrong when it was last seen unusable: what comes and goes while it flaps.
    last_loss: Vec<Issue>,
    /// When a change that is observed has lasted long enough to count, or flapping ends.
    pub(crate) settles_at: Option<Moment>,
    events: VecDeque<Arc<Event>>,
    /// The deadline that stands in the fleet's agenda for it.
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
            first_judged: false,
            lost_at: None,
            stale: true,
            judged_in_outage: false,
            holding: Hysteresis::default(),
            flapping: Flapping::default(),
            seen_usable: None,
            last_loss: Vec::new(),
            settles_at: None,
            events: VecDeque::new(),
            deadline: None,
        }
    }

    /// Its ring, oldest first.
    pub(crate) fn events(&self) -> Vec<Arc<Event>> {
        self.events.iter().cloned().collect()
    }

    /// Takes up what is remembered of it: how it was stays until something else is observed.
    pub(crate) fn recall(&mut self, known: &ExperimentState, rule: FlapRule, now: Moment) {
        let Some(last) = &known.last else { return };
        self.first_judged = true;
        self.health = last.health;
        self.issues.clone_from(&last.issues);
        self.since = now.back_at(known.since.unwrap_or(last.when));
        self.bad_since = known.bad_since.map(|at| now.back_at(at));
        self.worst = known.worst;
        self.decided = now.back_at(last.when);
        self.jump = last.jump;
        self.known_jump = known.jump;
        self.streams = last
            .streams
            .iter()
            .map(|(topic, health)| Stream::recalled(topic.clone(), *health, now))
            .collect();
        self.recall_flapping(known, rule, now);
        self.events = [Arc::clone(last)].into();
    }

    /// Shows these events, oldest first, as its latest.
    pub(crate) fn show_events(&mut self, events: Vec<Arc<Event>>) {
        self.events = events.into();
    }

    /// What has happened before counts for flapping; what flapped goes on to flap until it has been calm.
    fn recall_flapping(&mut self, known: &ExperimentState, rule: FlapRule, now: Moment) {
        for at in &known.flips {
            self.flapping.note(now.back_at(*at), rule);
        }
        self.flapping = match known.flaps_since {
            Some(since) => std::mem::take(&mut self.flapping).resumed(now.back_at(since), now),
            None => std::mem::take(&mut self.flapping).steady(),
        };
        self.last_loss.clone_from(&known.own_issues);
    }

    /// The remote login as it last was known.
    pub(crate) fn login(&self) -> JumpHealth {
        self.known_jump
    }

    /// Whether book's manifest lists it.
    pub(crate) fn listed(&self) -> bool {
        !self.resources.is_empty()
    }

    /// Whether nothing is left of it: book does not list it, and no report ever had it.
    pub(crate) fn is_phantom(&self) -> bool {
        let sightings = self
            .streams
            .iter()
            .map(|stream| &stream.sighting)
            .chain([&self.host]);
        !self.listed()
            && sightings
                .into_iter()
                .all(|sighting| matches!(sighting.presence, Presence::Never { .. }))
    }

    /// Whether it has been evaluated at least once, so that its health means something.
    pub(crate) fn is_evaluated(&self) -> bool {
        self.first_judged
    }

    /// Takes note that report number `report` of jump has its host, at place `entry`.
    pub(crate) fn observe_host(&mut self, report: u64, entry: usize) {
        self.host.report = report;
        self.host.entry = entry;
    }

    /// Brings its streams up to date with relay's newest report.
    /// Pushes the topics of required ones that have just connected, and returns whether any came or went.
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
                (true, false) => stream.heard = Heard::Unverified,
                (false, true) if stream.required => returned.push(stream.topic.clone()),
                (true, true) | (false, _) => {}
            }
        }
        changed
    }

    /// Takes note of whether relay's newest report shows it lost: a required stream is not there, or its statistics say that it is silent.
    pub(crate) fn note_loss(&mut self, newest: u64, last_active: Duration) {
        let mut required = self.streams.iter().filter(|stream| stream.required);
        let is_lost = required.any(|stream| stream.is_lost(last_active));
        self.lost_at = is_lost.then(|| self.lost_at.unwrap_or(newest));
    }

    /// Brings its host up to date with jump's newest report. Returns whether it came or went.
    pub(crate) fn refresh_host(
        &mut self,
        newest: u64,
        now: Moment,
        before: Option<Moment>,
        gone: impl FnOnce(usize) -> Option<LastConnection>,
    ) -> bool {
        self.host.refresh(newest, now, before, gone)
    }

    /// Looks at it again. Returns whether anything that is shown changed; the deadline is brought up to date too.
    pub(crate) fn evaluate(&mut self, context: &EvaluationContext) -> Evaluated {
        let mut again = self.grace_end(context).filter(|end| *end > context.now);
        let mut changed = false;
        for stream in &mut self.streams {
            let evaluate = stream.evaluate(context);
            changed |= evaluate.health != stream.health;
            stream.health = evaluate.health;
            again = earlier(again, evaluate.again);
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

    /// Book's experiments have a remote login; any other is evaluated by what it shows, and may have none.
    fn look_at_host(&self, context: &EvaluationContext) -> Evaluation<JumpHealth> {
        if !self.listed() && matches!(self.host.presence, Presence::Never { .. }) {
            return Evaluation {
                health: JumpHealth::Unknown,
                again: None,
            };
        }
        evaluate::jump(
            self.host.presence,
            self.jump,
            context.jump,
            &context.policy,
            context.now,
        )
    }

    /// Judges it. Returns an event when its health, its issues or its remote login changed.
    pub(crate) fn apply_rules(
        &mut self,
        why: Why,
        context: &EvaluationContext,
    ) -> Option<Arc<Event>> {
        if !context.may_evaluate || self.grace_end(context).is_some_and(|end| context.now < end) {
            return None;
        }
        let outage = context.outage && self.listed();
        let has_settled = self.settles_at.is_some_and(|at| context.now >= at);
        if !std::mem::take(&mut self.stale) && !has_settled && outage == self.judged_in_outage {
            return None;
        }
        self.judged_in_outage = outage;
        let all_required = !self.listed();
        let streams = self.streams.iter().map(|stream| {
            (
                &stream.topic,
                stream.required || all_required,
                stream.health,
            )
        });
        let (observed, issues) = evaluate::experiment(streams, self.known_jump, outage);
        if observed.is_unusable() && !outage && self.awaits_second_look(context) {
            self.stale = true;
            return None;
        }
        let turn = self.count_changes(observed, &issues, outage, context);
        let health = self.settle(observed, outage, context);
        let issues = if health == Health::Flapping {
            self.last_loss.clone()
        } else {
            issues
        };
        let is_held_back = health != observed && health == self.health;
        if is_held_back || (health == self.health && issues == self.issues) {
            return None;
        }
        if !self.first_judged && health == Health::Unknown {
            return None;
        }
        let why = match turn {
            Some(FlapTurn::Started) => Why::Flaps,
            Some(FlapTurn::Ended { .. }) if self.health == Health::Flapping => Why::Steady,
            Some(FlapTurn::Ended { .. }) | None if self.first_judged => why,
            Some(FlapTurn::Ended { .. }) | None => Why::FirstJudged,
        };
        self.first_judged = true;
        Some(self.decide(health, issues, why, context))
    }

    /// Whether it is usable until now and only lost in a report that leaves out most of the fleet.
    fn awaits_second_look(&self, context: &EvaluationContext) -> bool {
        let is_new = self.lost_at.is_some() && self.lost_at == context.unconfirmed_report;
        is_new && !self.health.is_unusable()
    }

    /// Counts how often it comes and goes, before any hold. What relay's silence makes of it is relay's story and no change of its own,
    /// and a loss that leaves it usable is none that needs a withdrawal.
    fn count_changes(
        &mut self,
        observed: Health,
        issues: &[Issue],
        outage: bool,
        context: &EvaluationContext,
    ) -> Option<FlapTurn> {
        if observed == Health::Unknown || outage {
            return self.flapping.evaluate(context.now, context.policy.flap);
        }
        if observed.is_unusable() {
            self.last_loss = issues.to_vec();
        }
        let is_usable = !observed.is_unusable();
        let has_changed = self
            .seen_usable
            .replace(is_usable)
            .is_some_and(|was| was != is_usable);
        if has_changed {
            self.flapping.note(context.now, context.policy.flap)
        } else {
            self.flapping.evaluate(context.now, context.policy.flap)
        }
    }

    /// The health that counts: flapping while it flaps, else what has lasted for the hold times. After flapping, nothing is held.
    fn settle(&mut self, observed: Health, outage: bool, context: &EvaluationContext) -> Health {
        if self.flapping.since().is_some() {
            self.holding = Hysteresis::default();
            self.settles_at = self.flapping.ends_at(context.policy.flap);
            return if outage || observed == Health::Unknown {
                observed
            } else {
                Health::Flapping
            };
        }
        let counted = if self.health == Health::Flapping {
            Health::Unknown
        } else {
            self.health
        };
        let settled = self
            .holding
            .settle(observed, counted, context.policy.hold, context.now);
        self.settles_at = settled.again;
        settled.health
    }

    fn decide(
        &mut self,
        health: Health,
        issues: Vec<Issue>,
        why: Why,
        context: &EvaluationContext,
    ) -> Arc<Event> {
        let was = std::mem::replace(&mut self.health, health);
        if was != health {
            self.since = context.now;
        }
        self.decided = context.now;
        self.worst = health
            .worst_of(self.worst.filter(|_| self.bad_since.is_some()))
            .or(self.worst);
        self.bad_since = match health {
            Health::Ok => None,
            Health::Unknown => self.bad_since,
            Health::Degraded | Health::Flapping | Health::Down => {
                self.bad_since.or(Some(context.now))
            }
        };
        self.issues = issues;
        let mut streams: Vec<(Topic, StreamHealth)> = self
            .streams
            .iter()
            .map(|s| (s.topic.clone(), s.health))
            .collect();
        streams.sort();
        let event = Arc::new(Event {
            when: context.now.wall(),
            health,
            was,
            issues: self.issues.clone(),
            jump: self.jump,
            streams,
            why,
        });
        while self.events.len() >= context.policy.events.max(1) {
            self.events.pop_front();
        }
        self.events.push_back(Arc::clone(&event));
        event
    }

    /// Until when it has its start-up grace; `None` when that is over for good.
    fn grace_end(&self, context: &EvaluationContext) -> Option<Moment> {
        (!self.first_judged).then(|| self.first_seen + context.policy.startup)
    }

    /// When it may be forgotten: a day after it was last seen, unless book lists it.
    fn forget_at(&self) -> Option<Moment> {
        if self.listed() {
            return None;
        }
        let seen = self
            .streams
            .iter()
            .map(|stream| stream.sighting.absent_since())
            .chain([self.host.absent_since()]);
        seen.collect::<Option<Vec<_>>>()?
            .into_iter()
            .max()
            .map(|seen| seen + FORGET_AFTER)
    }

    fn flap_view(&self, context: &EvaluationContext) -> Option<FlapView> {
        let (since, steady_at) = self
            .flapping
            .since()
            .zip(self.flapping.ends_at(context.policy.flap))?;
        Some(FlapView {
            since: since.wall(),
            steady_at: steady_at.wall(),
        })
    }

    pub(crate) fn view(
        &self,
        resources: Vec<ResourceView>,
        derived: DerivedView,
        context: &EvaluationContext,
    ) -> ExperimentView {
        let mut streams: Vec<StreamView> = self.streams.iter().map(Stream::view).collect();
        streams.sort_by(|a, b| a.topic.cmp(&b.topic));
        ExperimentView {
            stub: self.stub.clone(),
            resources,
            listed: self.listed() || !context.manifest_known,
            health: self.health,
            since: self.since.wall(),
            issues: self.issues.clone(),
            flapping: self.flap_view(context),
            quiet: derived.quiet,
            jump: self.jump,
            jump_seen: self.host.seen(),
            jump_last: self.host.last.clone(),
            streams,
            first_seen: self.first_seen.wall(),
            grace_until: self
                .grace_end(context)
                .filter(|end| context.now < *end)
                .map(Moment::wall),
            last_listed: self.last_listed.map(Moment::wall),
            events: self.events(),
            pools: derived.pools,
            affected: derived.affected,
            advice: derived.advice,
            is_lost: self.is_wholly_lost(),
        }
    }

    /// Whether nothing of it is to be seen: neither its login nor any stream that it must have.
    pub(crate) fn is_wholly_lost(&self) -> bool {
        let required = self.streams.iter().filter(|stream| stream.required);
        self.login() == JumpHealth::Lost
            && required
                .map(|stream| stream.health)
                .all(|health| health == StreamHealth::Missing)
    }
}

/// What surrounds an experiment when it is shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct DerivedView {
    pub(crate) quiet: Option<Suppression>,
    pub(crate) pools: Vec<Arc<str>>,
    pub(crate) affected: Affected,
    pub(crate) advice: Option<Arc<str>>,
}

/// What a look at an experiment showed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evaluated {
    pub(crate) changed: bool,
    /// When to look again although nothing came.
    pub(crate) again: Option<Moment>,
    /// The experiment may be forgotten.
    pub(crate) forget: bool,
    /// One of its streams may be forgotten.
    pub(crate) prune: bool,
}

fn earlier(a: Option<Moment>, b: Option<Moment>) -> Option<Moment> {
    [a, b].into_iter().flatten().min()
}
