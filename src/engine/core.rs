//! The engine: takes an input and the time, brings its state up to date, and says what is to be done.

use std::sync::Arc;
use std::time::Duration;

use super::action::{Action, ManifestChange, Record};
use super::availability::{HoldChange, Resources, Wanted};
use super::event::{Event, Why};
use super::experiment::{Experiment, Sky};
use super::fleet::{Fleet, Id};
use super::input::{BookReading, Input, Role, SampleOutcome};
use super::judge::Heard;
use super::policy::{Asking, Policy, Sampling};
use super::reason;
use super::report::Report;
use super::sampling::Sampler;
use super::snapshot::{Counts, ExperimentView, SamplingView, Snapshot, SourceView};
use super::source::Source;
use super::telling::{Concern, Scene, Telling, Trouble};
use crate::model::{Bookable, Health, Moment, SourceHealth, SourceName, Stub, Topic};

/// No source is asked for reports more often than this: relay answers at most once a second.
const ASK_AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// The shortest time between two wakes, so that no deadline can make the loop spin.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// What the engine wants to be woken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// An experiment's grace, absence or memory runs out.
    Experiment,
    /// A source becomes late or down, is to be asked, or has settled.
    Source(SourceName),
    /// Relay's outage becomes the experiments'.
    Outage,
    /// A failed switch is to be tried again.
    Switch,
    /// There is something to tell.
    Mail,
    /// A stream is to be listened to.
    Sample,
}

/// The judgement's whole state. One owner, one loop.
#[derive(Debug, Clone)]
pub struct Engine {
    policy: Policy,
    started: Moment,
    now: Moment,
    role: Role,
    fleet: Fleet,
    resources: Resources,
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
    views: Arc<Vec<Arc<ExperimentView>>>,
    counts: Counts,
}

impl Engine {
    /// An engine that knows nothing yet.
    #[must_use]
    pub fn new(policy: Policy, now: Moment) -> Self {
        let [relay, jump, book] = SourceName::ALL.map(|name| Source::new(name, ask_every(&policy, name), now));
        Self {
            policy,
            started: now,
            now,
            role: Role::Leader,
            fleet: Fleet::new(),
            resources: Resources::default(),
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
            views: Arc::default(),
            counts: Counts::default(),
        }
    }

    /// Takes an input at this moment and says what is to be done, in this order. A moment before an earlier one counts as that one.
    pub fn step(&mut self, input: Input, now: Moment) -> Vec<Action> {
        self.now = self.now.max(now);
        let now = self.now;
        self.version += 1;
        let mut actions = Vec::new();
        match input {
            Input::Report(source, report) => self.report(source, &report, &mut actions),
            Input::Link(source, link) => self.source_mut(source).linked(link, now),
            Input::Book(reading) => self.read_book(&reading, &mut actions),
            Input::BookFailed(fault) => self.book.failed(fault, now),
            Input::Switched { resource, outcome } => {
                let stub = self.resources.stub(&resource).cloned();
                let hold = self.resources.switched(&resource, &outcome, now);
                if let Some(stub) = stub {
                    self.touch(&stub);
                    actions.push(Action::Record(Record::Switched { resource, stub, outcome }));
                }
                actions.extend(hold.map(hold_record));
            }
            Input::Sampled { topic, outcome } => self.sampled(&topic, &outcome, &mut actions),
            Input::Mailed { id, outcome } => self.mailed(id, outcome, &mut actions),
            Input::Role(role) => self.take_role(role),
            Input::Wake => {}
        }
        self.settle(&mut actions);
        actions
    }

    /// When to call `step` with [`Input::Wake`] if nothing else comes, and what for. Always after the last step.
    #[must_use]
    pub fn next_deadline(&self) -> Option<(Moment, Reason)> {
        let leads = self.role == Role::Leader;
        let outage = self.outage_at().filter(|_| !self.outage && self.blind.is_none());
        let candidates = [
            (self.fleet.deadline(), Reason::Experiment),
            (self.relay.deadline(self.ask_every(SourceName::Relay)), Reason::Source(SourceName::Relay)),
            (self.jump.deadline(self.ask_every(SourceName::Jump)), Reason::Source(SourceName::Jump)),
            (self.book.deadline(None), Reason::Source(SourceName::Book)),
            (outage, Reason::Outage),
            (self.resources.deadline().filter(|_| leads && self.may_switch()), Reason::Switch),
            (self.mail_deadline().filter(|_| leads && self.policy.mail), Reason::Mail),
            (self.sampler.deadline(&self.policy).filter(|_| self.is_listening()), Reason::Sample),
        ];
        let next = candidates.into_iter().filter_map(|(at, reason)| Some((at?, reason))).min()?;
        Some((next.0.max(self.now + SHORTEST_WAIT), next.1))
    }

    /// A picture of everything, for readers.
    pub fn snapshot(&mut self) -> Snapshot {
        if self.fleet.is_touched() {
            self.repaint();
        }
        Snapshot {
            version: self.version,
            at: self.now.wall(),
            started: self.started.wall(),
            role: self.role,
            experiments: Arc::clone(&self.views),
            counts: self.counts,
            sources: SourceName::ALL.map(|name| self.source_view(name)),
            mail: self.telling.view(self.policy.mail),
            sampling: if self.sampling { self.sampler.view(&self.policy) } else { SamplingView::default() },
            manifest_lost: self.manifest_lost.map(Moment::wall),
            blind: self.blind.map(Moment::wall),
        }
    }

    // ---- inputs ----

    fn report(&mut self, source: SourceName, report: &Arc<Report>, actions: &mut Vec<Action>) {
        let (now, settle) = (self.now, self.policy.settle);
        self.source_mut(source).heard(report.started(), settle, now);
        match source {
            SourceName::Relay => {
                let returned = self.fleet.absorb_relay(report, now);
                self.sampling = self.wants_sampling();
                if self.sampling {
                    self.sampler.returned(returned);
                } else {
                    self.sampler.pause(now);
                }
            }
            SourceName::Jump => self.fleet.absorb_jump(report, now),
            SourceName::Book => return,
        }
        if !self.judge_source(source, actions) {
            self.look_at_all(Why::Observed, actions);
        }
    }

    fn wants_sampling(&self) -> bool {
        match self.policy.sample {
            Sampling::Always => true,
            Sampling::Never => false,
            Sampling::Auto => self.fleet.lacks_statistics(),
        }
    }

    fn read_book(&mut self, reading: &BookReading, actions: &mut Vec<Action>) {
        let now = self.now;
        self.book.heard(None, self.policy.settle, now);
        self.judge_source(SourceName::Book, actions);
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
        if !added.is_empty() || !removed.is_empty() {
            actions.push(Action::Record(Record::Manifest(ManifestChange::Changed { added, removed })));
        }
        self.enlist(actions);
        for resource in &reading.resources {
            let Some(said) = &resource.availability else { continue };
            let hold = self.resources.read(&resource.name, said, now);
            actions.extend(hold.map(hold_record));
            self.touch(&resource.stub);
        }
    }

    /// An empty manifest means that book has lost it: what was known stays.
    fn lose_manifest(&mut self, actions: &mut Vec<Action>) {
        if self.manifest_lost.is_none() {
            self.manifest_lost = Some(self.now);
            actions.push(Action::Record(Record::Manifest(ManifestChange::Lost)));
        }
    }

    /// Brings what experiments must have in line with book's list.
    fn enlist(&mut self, actions: &mut Vec<Action>) {
        let now = self.now;
        let mut listed = self.resources.by_stub();
        let mut changed = Vec::new();
        let known: Vec<(Id, Stub)> = self.fleet.iter().map(|(id, e)| (id, e.stub.clone())).collect();
        for (id, stub) in known {
            let (resources, streams) = listed.remove(&stub).unwrap_or_default();
            if self.fleet.enlist(id, resources, &streams, now) {
                changed.push(id);
            }
        }
        for (stub, (resources, streams)) in listed {
            let Some(id) = self.fleet.add(&stub, now) else { continue };
            self.fleet.enlist(id, resources, &streams, now);
            changed.push(id);
        }
        for id in changed {
            if self.fleet.get(id).is_some_and(Experiment::is_phantom) {
                self.forget(id);
            } else {
                self.look(id, Why::Manifest, actions);
            }
        }
        self.consider_unlisted();
    }

    /// Whether an experiment is listed is itself something to tell.
    fn consider_unlisted(&mut self) {
        for (_, experiment) in self.fleet.iter().filter(|(_, e)| !e.listed()) {
            self.telling.consider(experiment, self.manifest_known, self.now);
        }
    }

    fn sampled(&mut self, topic: &Topic, outcome: &SampleOutcome, actions: &mut Vec<Action>) {
        let (now, owner) = (self.now, self.fleet.owner(topic.as_str()));
        let was = self.fleet.peek_stream(topic.as_str()).map_or(Heard::Unverified, |stream| stream.heard);
        let heard = self.sampler.sampled(topic, outcome, was, &self.policy, now);
        if let (Some(heard), Some(id)) = (heard, owner) {
            if let Some(stream) = self.fleet.stream_mut(topic.as_str()).filter(|stream| stream.is_connected()) {
                stream.heard = heard;
            }
            self.look(id, Why::Observed, actions);
        }
    }

    fn mailed(&mut self, id: u64, outcome: Result<(), super::input::MailFault>, actions: &mut Vec<Action>) {
        for stub in self.telling.mailed(id, &outcome, self.now) {
            let experiment = self.fleet.find(stub.as_str()).and_then(|id| self.fleet.get(id));
            match experiment {
                Some(experiment) => self.telling.consider(experiment, self.manifest_known, self.now),
                None => self.telling.forget(&stub),
            }
        }
        actions.push(Action::Record(Record::Mailed { id, outcome }));
    }

    /// Becoming leader is a full settle: everything is compared again.
    fn take_role(&mut self, role: Role) {
        self.role = role;
        if role == Role::Leader {
            self.resources.reconsider_all();
        }
    }

    // ---- settling: what is, against what should be ----

    fn settle(&mut self, actions: &mut Vec<Action>) {
        for name in SourceName::ALL {
            self.judge_source(name, actions);
        }
        self.judge_blindness(actions);
        self.judge_outage(actions);
        self.look_at_due(actions);
        self.tend_sources(actions);
        self.tend_sampling(actions);
        if self.role == Role::Leader {
            self.switch(actions);
            self.tell(actions);
        }
    }

    /// Brings a source's health up to date. Where that changes what its word is worth, looks at all experiments and returns true.
    fn judge_source(&mut self, name: SourceName, actions: &mut Vec<Action>) -> bool {
        let now = self.now;
        let source = self.source_mut(name);
        let (was, was_settling) = (source.health, source.settles_until().is_some());
        let changed = source.judge(now);
        let (health, has_settled) = (source.health, was_settling && source.settles_until().is_none());
        if changed {
            let note = source.note();
            actions.push(Action::Record(Record::Source { name, health, note }));
        }
        if name == SourceName::Book {
            return false;
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
        self.look_at_all(why, actions);
        true
    }

    fn judge_blindness(&mut self, actions: &mut Vec<Action>) {
        let blind = SourceName::ALL.iter().all(|name| self.source(*name).health == SourceHealth::Down);
        if blind != self.blind.is_some() {
            self.blind = blind.then_some(self.now);
            actions.push(Action::Record(Record::Blind(blind)));
        }
    }

    /// A relay that stays silent makes its experiments unusable; when we are blind, we know nothing of that.
    fn judge_outage(&mut self, actions: &mut Vec<Action>) {
        let outage = self.blind.is_none() && self.outage_at().is_some_and(|at| self.now >= at);
        if outage != self.outage {
            self.outage = outage;
            self.look_at_all(if outage { Why::Outage(SourceName::Relay) } else { Why::SourceBack(SourceName::Relay) }, actions);
        }
    }

    fn outage_at(&self) -> Option<Moment> {
        (self.relay.health == SourceHealth::Down).then(|| self.relay.since + self.policy.outage_hold)
    }

    fn tend_sources(&mut self, actions: &mut Vec<Action>) {
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

    fn tend_sampling(&mut self, actions: &mut Vec<Action>) {
        if !self.is_listening() {
            return;
        }
        let samples = self.sampler.due(&self.fleet, &self.policy, self.now);
        actions.extend(samples.into_iter().map(Action::Sample));
        let keeps_up = self.sampler.keeps_up(&self.policy) && self.sampler.broken().is_none();
        if self.sampling_told != Some(keeps_up) {
            self.sampling_told = Some(keeps_up);
            let view = self.sampler.view(&self.policy);
            actions.push(Action::Record(Record::Sampling { streams: view.streams, round: view.round, keeps_up, failures: view.failures }));
        }
    }

    fn switch(&mut self, actions: &mut Vec<Action>) {
        if !self.may_switch() {
            return;
        }
        let fleet = &self.fleet;
        let due = self.resources.due(self.now, |stub| wanted(fleet.find(stub.as_str()).and_then(|id| fleet.get(id))));
        for switch in due {
            actions.push(Action::Record(Record::Switching(switch.clone())));
            actions.push(Action::Switch(switch));
        }
    }

    /// Whether it makes sense to write into book now.
    fn may_switch(&self) -> bool {
        self.blind.is_none() && self.manifest_lost.is_none() && self.book.health != SourceHealth::Down
    }

    fn tell(&mut self, actions: &mut Vec<Action>) {
        if !self.policy.mail {
            return;
        }
        let troubles = self.troubles().into_iter().filter(|trouble| self.is_tellable(trouble));
        let (fleet, resources) = (&self.fleet, &self.resources);
        let scene = Scene {
            now: self.now,
            manifest_known: self.manifest_known,
            gather: self.policy.gather,
            troubles: troubles.collect(),
            experiments: &|stub| fleet.get(fleet.find(stub.as_str())?),
            all: &|| fleet.iter().map(|(_, experiment)| experiment).collect(),
            bookable: &|experiment| experiment.resources.iter().filter_map(|name| resources.bookable(name)).max(),
            is_switching: resources.is_moving() && self.may_switch(),
            settles_until: [&self.relay, &self.jump].into_iter().filter_map(Source::settles_until).max(),
            counts: &|| count(fleet, resources, self.manifest_known),
        };
        if let Some(summary) = self.telling.due(&scene) {
            actions.push(Action::Record(Record::Mailing(Arc::clone(&summary))));
            actions.push(Action::Mail(summary));
        }
    }

    /// What concerns the whole laboratory now.
    fn troubles(&self) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        if let Some(since) = self.blind {
            let text =
                "labwatch hears from none of relay, jump and book: it is probably cut off itself; nothing is switched until it hears again";
            return vec![Trouble { concern: Concern::Blind, text: text.to_owned(), since }];
        }
        for name in SourceName::ALL {
            let source = self.source(name);
            if source.health == SourceHealth::Down {
                troubles.push(Trouble { concern: Concern::Source(name), text: self.outage_text(name), since: source.since });
            }
        }
        if let Some(since) = self.manifest_lost {
            let text = "book gives an empty manifest: it has probably been restarted; upload the manifest. Nothing is switched until then";
            troubles.push(Trouble { concern: Concern::ManifestLost, text: text.to_owned(), since });
        }
        if let Some((since, fault)) = self.sampler.broken().filter(|_| self.sampling) {
            let text =
                format!("streams cannot be listened to: {fault}. A stream that is connected counts as active, whether it sends or not");
            troubles.push(Trouble { concern: Concern::Sampling, text, since });
        }
        troubles
    }

    /// Whether people are to hear of a trouble. While we are blind that is the one story, and what they know of its parts stays.
    fn is_tellable(&self, trouble: &Trouble) -> bool {
        let is_part = self.blind.is_some() && trouble.concern != Concern::Blind;
        self.telling.knows(&trouble.concern) || (!is_part && self.now.since(trouble.since) >= trouble.concern.told_after())
    }

    fn outage_text(&self, name: SourceName) -> String {
        let note = self.source(name).note();
        match (name, self.hides(name)) {
            (SourceName::Relay, hidden) if self.outage => format!("{note}. {hidden} experiments are withdrawn until it tells again"),
            (SourceName::Relay, hidden) => format!("{note}. {hidden} experiments are not judged and stay as they are"),
            (SourceName::Jump, hidden) => format!("{note}. Whether {hidden} experiments can be logged into is not known"),
            (SourceName::Book, _) => format!("{note}. Availability cannot be switched"),
        }
    }

    /// How many experiments are not judged, or not wholly, because of a source.
    fn hides(&self, name: SourceName) -> usize {
        let down = self.source(name).health == SourceHealth::Down;
        if down && name != SourceName::Book { self.fleet.len() } else { 0 }
    }

    // ---- looking at experiments ----

    fn look(&mut self, id: Id, why: Why, actions: &mut Vec<Action>) {
        self.looking(actions, |fleet, sky, events| fleet.look(id, why, sky, events));
    }

    fn look_at_all(&mut self, why: Why, actions: &mut Vec<Action>) {
        self.looking(actions, |fleet, sky, events| fleet.look_at_all(why, sky, events));
    }

    fn look_at_due(&mut self, actions: &mut Vec<Action>) {
        self.looking(actions, Fleet::look_at_due);
    }

    fn looking(&mut self, actions: &mut Vec<Action>, look: impl FnOnce(&mut Fleet, &Sky<'_>, &mut Vec<(Id, Arc<Event>)>)) {
        let mut events = Vec::new();
        let sky = sky(&self.policy, &self.relay, &self.jump, &self.conditions());
        look(&mut self.fleet, &sky, &mut events);
        for stub in self.fleet.gone() {
            self.telling.forget(stub);
        }
        for (id, event) in events {
            let Some(experiment) = self.fleet.get(id) else { continue };
            self.telling.consider(experiment, self.manifest_known, self.now);
            self.resources.reconsider(&experiment.resources);
            actions.push(Action::Record(Record::Event { stub: experiment.stub.clone(), event }));
        }
    }

    fn touch(&mut self, stub: &Stub) {
        if let Some(id) = self.fleet.find(stub.as_str()) {
            self.fleet.touch(id);
        }
    }

    fn forget(&mut self, id: Id) {
        self.fleet.forget(id);
        for stub in self.fleet.gone() {
            self.telling.forget(stub);
        }
    }

    // ---- views ----

    fn repaint(&mut self) {
        let sky = sky(&self.policy, &self.relay, &self.jump, &self.conditions());
        let resources = &self.resources;
        self.fleet.repaint(&mut self.views, &sky, |experiment| experiment.resources.iter().map(|name| resources.view(name)).collect());
        self.counts = count(&self.fleet, &self.resources, self.manifest_known);
    }

    fn source_view(&self, name: SourceName) -> SourceView {
        let source = self.source(name);
        SourceView {
            name,
            health: source.health,
            since: source.since.wall(),
            last_report: source.last_wall(),
            pace: source.pace(),
            link: source.link.clone(),
            note: source.note(),
            server_started: source.started.clone(),
            hides: self.hides(name),
            report: match name {
                SourceName::Relay => self.fleet.relay_report(),
                SourceName::Jump => self.fleet.jump_report(),
                SourceName::Book => None,
            },
        }
    }

    // ---- small things ----

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

    fn conditions(&self) -> Conditions {
        let sampling = self.sampling && self.sampler.broken().is_none();
        Conditions { now: self.now, outage: self.outage, sampling, manifest_known: self.manifest_known }
    }

    fn mail_deadline(&self) -> Option<Moment> {
        let concerns = self.troubles().into_iter().map(|trouble| trouble.since + trouble.concern.told_after());
        let concern = concerns.filter(|at| *at > self.now).min();
        [self.telling.deadline(self.policy.gather, self.now), concern].into_iter().flatten().min()
    }
}

/// What holds for all experiments beside the sources.
#[derive(Debug, Clone, Copy)]
struct Conditions {
    now: Moment,
    outage: bool,
    sampling: bool,
    manifest_known: bool,
}

fn sky<'a>(policy: &'a Policy, relay: &Source, jump: &Source, conditions: &Conditions) -> Sky<'a> {
    let Conditions { now, outage, sampling, manifest_known } = *conditions;
    Sky { policy, now, relay: relay.telling(now), jump: jump.telling(now), outage, sampling, manifest_known }
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

fn hold_record(change: HoldChange) -> Action {
    Action::Record(Record::Hold { resource: change.resource, reason: change.reason })
}

/// What book should say of an experiment's resources: the last column of the table of design section 3.
fn wanted(experiment: Option<&Experiment>) -> Wanted {
    let Some(experiment) = experiment.filter(|experiment| experiment.is_judged()) else { return Wanted::AsItIs };
    match experiment.health {
        Health::Unknown => Wanted::AsItIs,
        Health::Ok | Health::Degraded => Wanted::Bookable { reason: reason::given_back() },
        Health::Down => Wanted::Withdrawn { reason: reason::withdrawn(&experiment.stub, &experiment.issues) },
    }
}

fn count(fleet: &Fleet, resources: &Resources, manifest_known: bool) -> Counts {
    let mut counts = Counts::default();
    for (_, experiment) in fleet.iter() {
        counts.total += 1;
        match experiment.health {
            Health::Ok => counts.ok += 1,
            Health::Degraded => counts.degraded += 1,
            Health::Down => counts.down += 1,
            Health::Unknown => counts.unknown += 1,
        }
        match experiment.resources.iter().filter_map(|name| resources.bookable(name)).max() {
            Some(Bookable::Withdrawn) => counts.withdrawn += 1,
            Some(Bookable::Held) => counts.held += 1,
            Some(Bookable::Yes) | None => {}
        }
        counts.unlisted += usize::from(manifest_known && !experiment.listed());
    }
    counts
}
