//! All experiments: found by name, fed with reports, looked at when something touches them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::event::{Event, Why};
use super::experiment::{Experiment, Sky};
use super::index::Index;
use super::report::{Connection, Report, Scopes};
use super::snapshot::{ExperimentView, LastConnection, ResourceView};
use super::stream::Stream;
use crate::model::{Moment, ResourceName, Stub, Topic};

/// The most experiments that are kept. A feed that names more is not a laboratory's; the rest is passed over.
pub(super) const MAX_EXPERIMENTS: usize = 50_000;

/// The most streams of one experiment that are kept.
const MAX_STREAMS: usize = 64;

/// An experiment's place. It stays the same as long as the experiment is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id(u32);

/// A stream's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StreamId {
    pub(super) experiment: Id,
    pub(super) stream: u32,
}

/// The newest report of a source, with its number and when it came.
#[derive(Debug, Clone)]
struct Newest {
    number: u64,
    at: Option<Moment>,
    report: Arc<Report>,
}

impl Newest {
    fn none() -> Self {
        Self { number: 0, at: None, report: Arc::new(Report::default()) }
    }

    /// Puts `report` in its place, and returns the one before.
    fn replace(&mut self, report: &Arc<Report>, now: Moment) -> Self {
        let next = Self { number: self.number + 1, at: Some(now), report: Arc::clone(report) };
        std::mem::replace(self, next)
    }
}

/// All experiments.
#[derive(Debug, Clone)]
pub(super) struct Fleet {
    slots: Vec<Option<Experiment>>,
    free: Vec<u32>,
    by_stub: BTreeMap<Stub, Id>,
    stubs: Index<Stub, Id>,
    topics: Index<Topic, StreamId>,
    agenda: BTreeSet<(Moment, Id)>,
    relay: Newest,
    jump: Newest,
    /// Experiments of which something that is shown changed since the last picture.
    touched: BTreeSet<Id>,
    gone: Vec<Stub>,
    /// Grows whenever the set of streams changes.
    pub(super) streams_version: u64,
}

impl Fleet {
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_stub: BTreeMap::new(),
            stubs: Index::new(),
            topics: Index::new(),
            agenda: BTreeSet::new(),
            relay: Newest::none(),
            jump: Newest::none(),
            touched: BTreeSet::new(),
            gone: Vec::new(),
            streams_version: 0,
        }
    }

    pub(super) fn get(&self, id: Id) -> Option<&Experiment> {
        self.slots.get(id.0 as usize)?.as_ref()
    }

    fn get_mut(&mut self, id: Id) -> Option<&mut Experiment> {
        self.slots.get_mut(id.0 as usize)?.as_mut()
    }

    pub(super) fn find(&self, stub: &str) -> Option<Id> {
        self.stubs.get(stub)
    }

    pub(super) fn stream_mut(&mut self, topic: &str) -> Option<&mut Stream> {
        let at = self.topics.get(topic)?;
        self.touched.insert(at.experiment);
        self.get_mut(at.experiment)?.streams.get_mut(at.stream as usize)
    }

    pub(super) fn peek_stream(&self, topic: &str) -> Option<&Stream> {
        self.stream(self.topics.get(topic)?)
    }

    /// The experiment that a stream belongs to.
    pub(super) fn owner(&self, topic: &str) -> Option<Id> {
        self.topics.get(topic).map(|at| at.experiment)
    }

    pub(super) fn stream(&self, at: StreamId) -> Option<&Stream> {
        self.get(at.experiment)?.streams.get(at.stream as usize)
    }

    /// All experiments, in the order of their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Id, &Experiment)> {
        self.by_stub.values().filter_map(|id| Some((*id, self.get(*id)?)))
    }

    /// All streams that book requires.
    pub(super) fn required_streams(&self) -> impl Iterator<Item = StreamId> {
        self.iter().flat_map(|(experiment, e)| {
            (0_u32..).zip(&e.streams).filter(|(_, s)| s.required).map(move |(stream, _)| StreamId { experiment, stream })
        })
    }

    /// Whether the newest report of relay tells of an experiment's stream without saying when it transmitted.
    pub(super) fn lacks_statistics(&self) -> bool {
        self.relay.report.iter().any(|c| c.tx.is_none() && c.scopes.has(Scopes::EXPT))
    }

    pub(super) fn relay_report(&self) -> Option<Arc<Report>> {
        self.relay.at.map(|_| Arc::clone(&self.relay.report))
    }

    pub(super) fn jump_report(&self) -> Option<Arc<Report>> {
        self.jump.at.map(|_| Arc::clone(&self.jump.report))
    }

    /// Takes in a report of relay. Returns the required streams that have just connected. Look at everything afterwards.
    pub(super) fn absorb_relay(&mut self, report: &Arc<Report>, now: Moment) -> Vec<Topic> {
        let before = self.relay.replace(report, now);
        let number = self.relay.number;
        for (entry, connection) in report.iter().enumerate() {
            if !is_experiment(&connection) {
                continue;
            }
            let known = self.topics.get(connection.topic).or_else(|| self.add_stray(connection.topic, now));
            let stream = known.and_then(|at| self.get_mut(at.experiment)?.streams.get_mut(at.stream as usize));
            if let Some(stream) = stream {
                stream.observe(number, entry, connection.tx);
            }
        }
        let mut returned = Vec::new();
        for experiment in self.slots.iter_mut().flatten() {
            let gone = |entry| before.report.get(entry).map(LastConnection::from);
            experiment.refresh_streams(number, now, before.at, gone, &mut returned);
        }
        returned
    }

    /// Takes in a report of jump. Look at everything afterwards.
    pub(super) fn absorb_jump(&mut self, report: &Arc<Report>, now: Moment) {
        let before = self.jump.replace(report, now);
        let number = self.jump.number;
        for (entry, connection) in report.iter().enumerate() {
            if !connection.scopes.has(Scopes::HOST) {
                continue;
            }
            let id = self.stubs.get(connection.topic).or_else(|| self.add(&Stub::try_new(connection.topic).ok()?, now));
            if let Some(experiment) = id.and_then(|id| self.get_mut(id)) {
                experiment.observe_host(number, entry);
            }
        }
        for experiment in self.slots.iter_mut().flatten() {
            experiment.refresh_host(number, now, before.at, |entry| before.report.get(entry).map(LastConnection::from));
        }
    }

    /// The experiment of this name, made known where it is not.
    pub(super) fn add(&mut self, stub: &Stub, now: Moment) -> Option<Id> {
        if let Some(id) = self.stubs.get(stub.as_str()) {
            return Some(id);
        }
        if self.by_stub.len() >= MAX_EXPERIMENTS {
            return None;
        }
        let experiment = Experiment::new(stub.clone(), now);
        let id = match self.free.pop() {
            Some(slot) => Id(slot),
            None => Id(u32::try_from(self.slots.len()).ok()?),
        };
        match self.slots.get_mut(id.0 as usize) {
            Some(slot) => *slot = Some(experiment),
            None => self.slots.push(Some(experiment)),
        }
        self.by_stub.insert(stub.clone(), id);
        self.stubs.insert(stub.clone(), id);
        self.touched.insert(id);
        Some(id)
    }

    fn add_stray(&mut self, topic: &str, now: Moment) -> Option<StreamId> {
        let stub = Stub::try_new(Stub::of_stray_topic(topic)?).ok()?;
        let topic = Topic::try_new(topic).ok()?;
        let id = self.add(&stub, now)?;
        self.add_stream(id, topic, false, now)
    }

    fn add_stream(&mut self, experiment: Id, topic: Topic, required: bool, now: Moment) -> Option<StreamId> {
        let owner = self.get_mut(experiment)?;
        if owner.streams.len() >= MAX_STREAMS {
            return None;
        }
        let at = StreamId { experiment, stream: u32::try_from(owner.streams.len()).ok()? };
        owner.streams.push(Stream::new(topic.clone(), required, now));
        owner.stale = true;
        self.topics.insert(topic, at);
        self.streams_version += 1;
        self.touched.insert(experiment);
        Some(at)
    }

    /// Sets what book's manifest says of an experiment: its resources and the streams that it must have. Returns whether that is new.
    pub(super) fn enlist(&mut self, id: Id, resources: Vec<ResourceName>, required: &BTreeSet<Topic>, now: Moment) -> bool {
        let Some(experiment) = self.get_mut(id) else { return false };
        let mut changed = experiment.resources != resources;
        experiment.resources = resources;
        if experiment.listed() {
            experiment.last_listed = Some(now);
        }
        for stream in &mut experiment.streams {
            let is_required = required.contains(&stream.topic);
            changed |= stream.required != is_required;
            stream.required = is_required;
        }
        experiment.stale |= changed;
        let known: BTreeSet<Topic> = experiment.streams.iter().map(|stream| stream.topic.clone()).collect();
        for topic in required.difference(&known) {
            changed |= self.adopt(id, topic, now);
        }
        if changed {
            self.streams_version += 1;
            self.touched.insert(id);
        }
        changed
    }

    /// Gives an experiment a stream that it must have, also when the topic was taken for another experiment's until now.
    fn adopt(&mut self, id: Id, topic: &Topic, now: Moment) -> bool {
        if let Some(other) = self.topics.get(topic.as_str()).filter(|at| at.experiment != id) {
            self.drop_streams(other.experiment, |stream| stream.topic == *topic);
        }
        self.add_stream(id, topic.clone(), true, now).is_some()
    }

    /// Looks at one experiment. What has to be recorded is pushed to `events`.
    pub(super) fn look(&mut self, id: Id, why: Why, sky: &Sky<'_>, events: &mut Vec<(Id, Arc<Event>)>) {
        let Some(experiment) = self.slots.get_mut(id.0 as usize).and_then(Option::as_mut) else { return };
        let looked = experiment.look(sky);
        let event = experiment.judge(why, sky);
        let old = std::mem::replace(&mut experiment.deadline, looked.again);
        if old != looked.again {
            old.map(|old| self.agenda.remove(&(old, id)));
            looked.again.map(|again| self.agenda.insert((again, id)));
        }
        if looked.changed || event.is_some() {
            self.touched.insert(id);
        }
        events.extend(event.map(|event| (id, event)));
        if looked.forget {
            self.forget(id);
        } else if looked.prune {
            self.drop_streams(id, |stream| stream.forget_at(true).is_some_and(|at| sky.now >= at));
        }
    }

    /// Looks at every experiment, in the order of their names.
    pub(super) fn look_at_all(&mut self, why: Why, sky: &Sky<'_>, events: &mut Vec<(Id, Arc<Event>)>) {
        for slot in 0..self.slots.len() {
            if let Ok(slot) = u32::try_from(slot) {
                self.look(Id(slot), why, sky, events);
            }
        }
        events.sort_by(|(a, _), (b, _)| self.name_of(*a).cmp(&self.name_of(*b)));
    }

    fn name_of(&self, id: Id) -> Option<&Stub> {
        self.get(id).map(|experiment| &experiment.stub)
    }

    /// Looks at those whose deadline has come.
    pub(super) fn look_at_due(&mut self, sky: &Sky<'_>, events: &mut Vec<(Id, Arc<Event>)>) {
        while let Some(&(at, id)) = self.agenda.first() {
            if at > sky.now {
                break;
            }
            self.agenda.remove(&(at, id));
            if let Some(experiment) = self.get_mut(id) {
                experiment.deadline = None;
            }
            self.touched.insert(id);
            self.look(id, Why::Observed, sky, events);
        }
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        self.agenda.first().map(|(at, _)| *at)
    }

    /// Forgets an experiment wholly.
    pub(super) fn forget(&mut self, id: Id) {
        let Some(experiment) = self.slots.get_mut(id.0 as usize).and_then(Option::take) else { return };
        for stream in &experiment.streams {
            self.topics.remove(stream.topic.as_str());
        }
        self.stubs.remove(experiment.stub.as_str());
        self.by_stub.remove(&experiment.stub);
        experiment.deadline.map(|at| self.agenda.remove(&(at, id)));
        self.touched.remove(&id);
        self.gone.push(experiment.stub);
        self.free.push(id.0);
        self.streams_version += 1;
    }

    fn drop_streams(&mut self, id: Id, unwanted: impl Fn(&Stream) -> bool) {
        let Some(experiment) = self.slots.get_mut(id.0 as usize).and_then(Option::as_mut) else { return };
        for stream in experiment.streams.iter().filter(|stream| unwanted(stream)) {
            self.topics.remove(stream.topic.as_str());
        }
        experiment.streams.retain(|stream| !unwanted(stream));
        experiment.stale = true;
        for (stream, kept) in (0_u32..).zip(&experiment.streams) {
            self.topics.insert(kept.topic.clone(), StreamId { experiment: id, stream });
        }
        self.streams_version += 1;
        self.touched.insert(id);
    }

    /// How many experiments there are.
    pub(super) fn len(&self) -> usize {
        self.by_stub.len()
    }

    /// Experiments that were forgotten since the last picture.
    pub(super) fn gone(&self) -> &[Stub] {
        &self.gone
    }

    /// Says that something that is shown of an experiment changed.
    pub(super) fn touch(&mut self, id: Id) {
        self.touched.insert(id);
    }

    /// Says that something that is shown of every experiment changed.
    pub(super) fn touch_all(&mut self) {
        self.touched.extend(self.by_stub.values().copied());
    }

    pub(super) fn is_touched(&self) -> bool {
        !self.touched.is_empty() || !self.gone.is_empty()
    }

    /// Brings a sorted list of pictures up to date with what was touched since the last time.
    pub(super) fn repaint(
        &mut self,
        views: &mut Arc<Vec<Arc<ExperimentView>>>,
        sky: &Sky<'_>,
        resources: impl Fn(&Experiment) -> Vec<ResourceView>,
    ) {
        let list = Arc::make_mut(views);
        for stub in self.gone.drain(..) {
            if let Ok(at) = list.binary_search_by(|view| view.stub.cmp(&stub)) {
                list.remove(at);
            }
        }
        let (mut fresh, touched) = (Vec::new(), std::mem::take(&mut self.touched));
        for experiment in touched.iter().filter_map(|id| self.get(*id)) {
            let view = Arc::new(experiment.view(resources(experiment), sky));
            match list.binary_search_by(|known| known.stub.cmp(&view.stub)) {
                Ok(at) => list[at] = view,
                Err(_) => fresh.push(view),
            }
        }
        if !fresh.is_empty() {
            list.append(&mut fresh);
            list.sort_by(|a, b| a.stub.cmp(&b.stub));
        }
    }
}

/// Whether a connection of relay is an experiment's. Servers before v0.6.5 do not say; there, whoever transmits is taken for one.
fn is_experiment(connection: &Connection<'_>) -> bool {
    let scopes = connection.scopes;
    scopes.has(Scopes::EXPT) || (scopes.has(Scopes::UNSAID) && connection.tx.is_some_and(|tx| tx.last.is_some()))
}
