//! All experiments: found by name, fed with reports, looked at when something touches them.

mod report;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) use view::Repainted;

use crate::experiments::experiment::{EvaluationContext, Experiment};
use crate::experiments::flapping::FlapRule;
use crate::experiments::stream::Stream;
use crate::model::index::Index;
use crate::model::{Moment, ResourceName, Stub, Topic};
use crate::protocol::event::{Event, Why};
use crate::protocol::report::{Report, Scopes};
use crate::protocol::state::ExperimentState;

/// The most experiments that are kept. A feed that names more is not a laboratory's; the rest is passed over.
pub(crate) const MAX_EXPERIMENTS: usize = 50_000;

/// The most streams of one experiment that are kept.
const MAX_STREAMS: usize = 64;

/// An experiment's place. It stays the same as long as the experiment is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id(u32);

/// A stream's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StreamId {
    pub(crate) experiment: Id,
    pub(crate) stream: u32,
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
        Self {
            number: 0,
            at: None,
            report: Arc::new(Report::default()),
        }
    }

    /// Puts `report` in its place, and returns the one before.
    fn replace(&mut self, report: &Arc<Report>, now: Moment) -> Self {
        let next = Self {
            number: self.number + 1,
            at: Some(now),
            report: Arc::clone(report),
        };
        std::mem::replace(self, next)
    }
}

/// What is to be made anew.
pub(crate) struct Touched {
    changed: BTreeSet<Id>,
    gone: Vec<Stub>,
}

/// All experiments.
#[derive(Debug, Clone)]
pub(crate) struct Fleet {
    slots: Vec<Option<Experiment>>,
    free: Vec<u32>,
    by_stub: BTreeMap<Stub, Id>,
    stubs: Index<Stub, Id>,
    topics: Index<Topic, StreamId>,
    agenda: BTreeSet<(Moment, Id)>,
    relay: Newest,
    jump: Newest,
    /// The number of relay's newest report where it is the first that most of the fleet is lost in.
    pub(crate) unconfirmed_report: Option<u64>,
    /// Experiments of which something that is shown changed since the last snapshot.
    touched: BTreeSet<Id>,
    gone: Vec<Stub>,
    /// Experiments that have become known, and those that were forgotten, since this was last asked.
    seen: Vec<Stub>,
    forgotten: Vec<Stub>,
    /// Grows whenever the set of streams changes.
    pub(crate) streams_version: u64,
}

impl Fleet {
    pub(crate) fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_stub: BTreeMap::new(),
            stubs: Index::new(),
            topics: Index::new(),
            agenda: BTreeSet::new(),
            relay: Newest::none(),
            jump: Newest::none(),
            unconfirmed_report: None,
            touched: BTreeSet::new(),
            gone: Vec::new(),
            seen: Vec::new(),
            forgotten: Vec::new(),
            streams_version: 0,
        }
    }

    pub(crate) fn get(&self, id: Id) -> Option<&Experiment> {
        self.slots.get(id.0 as usize)?.as_ref()
    }

    fn get_mut(&mut self, id: Id) -> Option<&mut Experiment> {
        self.slots.get_mut(id.0 as usize)?.as_mut()
    }

    /// The experiment of this name.
    pub(crate) fn named(&self, stub: &str) -> Option<&Experiment> {
        self.get(self.find(stub)?)
    }

    pub(crate) fn find(&self, stub: &str) -> Option<Id> {
        self.stubs.get(stub)
    }

    pub(crate) fn stream_mut(&mut self, topic: &str) -> Option<&mut Stream> {
        let at = self.topics.get(topic)?;
        self.touched.insert(at.experiment);
        self.get_mut(at.experiment)?
            .streams
            .get_mut(at.stream as usize)
    }

    pub(crate) fn peek_stream(&self, topic: &str) -> Option<&Stream> {
        self.stream(self.topics.get(topic)?)
    }

    /// The experiment that a stream belongs to.
    pub(crate) fn owner(&self, topic: &str) -> Option<Id> {
        self.topics.get(topic).map(|at| at.experiment)
    }

    pub(crate) fn stream(&self, at: StreamId) -> Option<&Stream> {
        self.get(at.experiment)?.streams.get(at.stream as usize)
    }

    /// All experiments, in the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id, &Experiment)> {
        self.by_stub
            .values()
            .filter_map(|id| Some((*id, self.get(*id)?)))
    }

    /// All streams that book requires.
    pub(crate) fn required_streams(&self) -> impl Iterator<Item = StreamId> {
        self.iter().flat_map(|(experiment, e)| {
            (0_u32..)
                .zip(&e.streams)
                .filter(|(_, s)| s.required)
                .map(move |(stream, _)| StreamId { experiment, stream })
        })
    }

    /// Whether the newest report of relay tells of an experiment's stream without saying when it transmitted.
    pub(crate) fn lacks_statistics(&self) -> bool {
        self.relay
            .report
            .iter()
            .any(|c| c.tx.is_none() && c.scopes.has(Scopes::EXPT))
    }

    pub(crate) fn relay_report(&self) -> Option<Arc<Report>> {
        self.relay.at.map(|_| Arc::clone(&self.relay.report))
    }

    pub(crate) fn jump_report(&self) -> Option<Arc<Report>> {
        self.jump.at.map(|_| Arc::clone(&self.jump.report))
    }

    /// The experiment of this name, made known where it is not.
    pub(crate) fn add(&mut self, stub: &Stub, now: Moment) -> Option<Id> {
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
        self.seen.push(stub.clone());
        self.touched.insert(id);
        Some(id)
    }

    /// Makes an experiment known as it is remembered.
    pub(crate) fn recall(
        &mut self,
        stub: &Stub,
        known: &ExperimentState,
        rule: FlapRule,
        now: Moment,
    ) -> Option<Id> {
        let id = self.add(stub, now.back_at(known.first_seen))?;
        let experiment = self.get_mut(id)?;
        experiment.recall(known, rule, now);
        let topics: Vec<Topic> = experiment
            .streams
            .iter()
            .map(|stream| stream.topic.clone())
            .collect();
        for (stream, topic) in (0_u32..).zip(topics) {
            self.topics.insert(
                topic,
                StreamId {
                    experiment: id,
                    stream,
                },
            );
        }
        self.streams_version += 1;
        Some(id)
    }

    /// Shows these events of a known experiment, oldest first, as its latest.
    pub(crate) fn show_events(&mut self, stub: &Stub, events: Vec<Arc<Event>>) {
        if let Some(experiment) = self.find(stub.as_str()).and_then(|id| self.get_mut(id)) {
            experiment.show_events(events);
        }
    }

    fn add_stray(&mut self, topic: &str, now: Moment) -> Option<StreamId> {
        let stub = Stub::try_new(Stub::of_stray_topic(topic)?).ok()?;
        let topic = Topic::try_new(topic).ok()?;
        let id = self.add(&stub, now)?;
        self.add_stream(id, topic, false, now)
    }

    fn add_stream(
        &mut self,
        experiment: Id,
        topic: Topic,
        required: bool,
        now: Moment,
    ) -> Option<StreamId> {
        let owner = self.get_mut(experiment)?;
        if owner.streams.len() >= MAX_STREAMS {
            return None;
        }
        let at = StreamId {
            experiment,
            stream: u32::try_from(owner.streams.len()).ok()?,
        };
        owner
            .streams
            .push(Stream::new(topic.clone(), required, now));
        owner.stale = true;
        self.topics.insert(topic, at);
        self.streams_version += 1;
        self.touched.insert(experiment);
        Some(at)
    }

    /// Sets what book's manifest says of an experiment: its resources and the streams that it must have. Returns whether that is new.
    pub(crate) fn enlist(
        &mut self,
        id: Id,
        resources: Vec<ResourceName>,
        required: &BTreeSet<Topic>,
        now: Moment,
    ) -> bool {
        let Some(experiment) = self.get_mut(id) else {
            return false;
        };
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
        let known: BTreeSet<Topic> = experiment
            .streams
            .iter()
            .map(|stream| stream.topic.clone())
            .collect();
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
        if let Some(other) = self
            .topics
            .get(topic.as_str())
            .filter(|at| at.experiment != id)
        {
            self.drop_streams(other.experiment, |stream| stream.topic == *topic);
        }
        self.add_stream(id, topic.clone(), true, now).is_some()
    }

    /// Looks at one experiment. What has to be recorded is pushed to `events`.
    pub(crate) fn evaluate(
        &mut self,
        id: Id,
        why: Why,
        context: &EvaluationContext,
        events: &mut Vec<(Id, Arc<Event>)>,
    ) {
        let Some(experiment) = self.slots.get_mut(id.0 as usize).and_then(Option::as_mut) else {
            return;
        };
        let looked = experiment.evaluate(context);
        let event = experiment.apply_rules(why, context);
        let again = [looked.again, experiment.settles_at]
            .into_iter()
            .flatten()
            .min();
        let old = std::mem::replace(&mut experiment.deadline, again);
        if old != again {
            old.map(|old| self.agenda.remove(&(old, id)));
            again.map(|again| self.agenda.insert((again, id)));
        }
        if looked.changed || event.is_some() {
            self.touched.insert(id);
        }
        events.extend(event.map(|event| (id, event)));
        if looked.forget {
            self.forget(id);
        } else if looked.prune {
            self.drop_streams(id, |stream| {
                stream.forget_at(true).is_some_and(|at| context.now >= at)
            });
        }
    }

    /// Looks at every experiment, in the order of their names.
    pub(crate) fn evaluate_all(
        &mut self,
        why: Why,
        context: &EvaluationContext,
        events: &mut Vec<(Id, Arc<Event>)>,
    ) {
        for slot in 0..self.slots.len() {
            if let Ok(slot) = u32::try_from(slot) {
                self.evaluate(Id(slot), why, context, events);
            }
        }
        events.sort_by(|(a, _), (b, _)| self.name_of(*a).cmp(&self.name_of(*b)));
    }

    fn name_of(&self, id: Id) -> Option<&Stub> {
        self.get(id).map(|experiment| &experiment.stub)
    }

    /// Looks at those whose deadline has come.
    pub(crate) fn evaluate_due(
        &mut self,
        context: &EvaluationContext,
        events: &mut Vec<(Id, Arc<Event>)>,
    ) {
        while let Some(&(at, id)) = self.agenda.first() {
            if at > context.now {
                break;
            }
            self.agenda.remove(&(at, id));
            if let Some(experiment) = self.get_mut(id) {
                experiment.deadline = None;
            }
            self.touched.insert(id);
            self.evaluate(id, Why::Observed, context, events);
        }
    }

    pub(crate) fn deadline(&self) -> Option<Moment> {
        self.agenda.first().map(|(at, _)| *at)
    }

    /// Forgets an experiment wholly.
    pub(crate) fn forget(&mut self, id: Id) {
        let Some(experiment) = self.slots.get_mut(id.0 as usize).and_then(Option::take) else {
            return;
        };
        for stream in &experiment.streams {
            self.topics.remove(stream.topic.as_str());
        }
        self.stubs.remove(experiment.stub.as_str());
        self.by_stub.remove(&experiment.stub);
        experiment.deadline.map(|at| self.agenda.remove(&(at, id)));
        self.touched.remove(&id);
        self.forgotten.push(experiment.stub.clone());
        self.gone.push(experiment.stub);
        self.free.push(id.0);
        self.streams_version += 1;
    }

    fn drop_streams(&mut self, id: Id, unwanted: impl Fn(&Stream) -> bool) {
        let Some(experiment) = self.slots.get_mut(id.0 as usize).and_then(Option::as_mut) else {
            return;
        };
        for stream in experiment.streams.iter().filter(|stream| unwanted(stream)) {
            self.topics.remove(stream.topic.as_str());
        }
        experiment.streams.retain(|stream| !unwanted(stream));
        experiment.stale = true;
        for (stream, kept) in (0_u32..).zip(&experiment.streams) {
            self.topics.insert(
                kept.topic.clone(),
                StreamId {
                    experiment: id,
                    stream,
                },
            );
        }
        self.streams_version += 1;
        self.touched.insert(id);
    }

    /// The experiments whose names begin with this, in the order of their names.
    pub(crate) fn starting_with<'a>(
        &'a self,
        start: &'a str,
    ) -> impl Iterator<Item = (Id, &'a Experiment)> {
        let from = self
            .by_stub
            .range::<str, _>((std::ops::Bound::Included(start), std::ops::Bound::Unbounded));
        from.take_while(move |(stub, _)| stub.as_str().starts_with(start))
            .filter_map(|(_, id)| Some((*id, self.get(*id)?)))
    }

    /// How many experiments there are.
    pub(crate) fn len(&self) -> usize {
        self.by_stub.len()
    }

    /// Experiments that were forgotten since the last snapshot.
    pub(crate) fn gone(&self) -> &[Stub] {
        &self.gone
    }

    /// Experiments that have become known since the last time.
    pub(crate) fn take_seen(&mut self) -> Vec<Stub> {
        std::mem::take(&mut self.seen)
    }

    /// Experiments that were forgotten since the last time.
    pub(crate) fn take_forgotten(&mut self) -> Vec<Stub> {
        std::mem::take(&mut self.forgotten)
    }

    /// Says that every experiment must be evaluated again, although nothing was observed.
    pub(crate) fn reconsider_all(&mut self) {
        self.slots
            .iter_mut()
            .flatten()
            .for_each(|experiment| experiment.stale = true);
    }

    /// Says that something that is shown of an experiment changed.
    pub(crate) fn mark_dirty(&mut self, id: Id) {
        self.touched.insert(id);
    }

    /// Says that something that is shown of every experiment changed.
    pub(crate) fn touch_all(&mut self) {
        self.touched.extend(self.by_stub.values().copied());
    }

    pub(crate) fn is_touched(&self) -> bool {
        !self.touched.is_empty() || !self.gone.is_empty()
    }

    /// What was touched or forgotten since the last snapshot; from now on it counts as made.
    pub(crate) fn take_touched(&mut self) -> Touched {
        Touched {
            changed: std::mem::take(&mut self.touched),
            gone: std::mem::take(&mut self.gone),
        }
    }
}
