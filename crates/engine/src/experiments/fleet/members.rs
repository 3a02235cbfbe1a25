//! Which experiments and streams are known: how they are added and forgotten.

use std::collections::BTreeSet;

use super::{Fleet, Id, StreamId};
use crate::experiments::experiment::Experiment;
use crate::experiments::flapping::FlapRule;
use crate::experiments::stream::Stream;
use crate::model::Gather as _;
use crate::model::{Moment, ResourceName, Stub, Topic};
use crate::protocol::ExperimentState;

/// The most experiments that are kept. A feed that names more does not belong to a laboratory; the
/// rest is ignored.
pub(crate) const MAX_EXPERIMENTS: usize = 50_000;

/// The most streams of one experiment that are kept.
const MAX_STREAMS: usize = 64;

impl Fleet {
    /// The experiment of this name; added if it is new.
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

    /// Adds an experiment from the durable state.
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
        self.find_streams(id);
        Some(id)
    }

    pub(super) fn add_stray(&mut self, topic: &str, now: Moment) -> Option<StreamId> {
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

    /// Sets what book's manifest says of an experiment: its resources and required streams. Returns
    /// whether that changed.
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
            .gather();
        for topic in required.difference(&known) {
            changed |= self.adopt(id, topic, now);
        }
        if changed {
            self.streams_version += 1;
            self.touched.insert(id);
        }
        changed
    }

    /// Adds a required stream to an experiment, also when its topic was attributed to another one
    /// until now.
    fn adopt(&mut self, id: Id, topic: &Topic, now: Moment) -> bool {
        let known = self.topics.get(topic.as_str());
        if let Some(other) = known.filter(|at| at.experiment != id) {
            self.drop_streams(other.experiment, |stream| stream.topic == *topic);
        }
        self.add_stream(id, topic.clone(), true, now).is_some()
    }

    /// Forgets an experiment and all its streams.
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

    pub(super) fn drop_streams(&mut self, id: Id, unwanted: impl Fn(&Stream) -> bool) {
        let Some(experiment) = self.slots.get_mut(id.0 as usize).and_then(Option::as_mut) else {
            return;
        };
        for stream in experiment.streams.iter().filter(|stream| unwanted(stream)) {
            self.topics.remove(stream.topic.as_str());
        }
        experiment.streams.retain(|stream| !unwanted(stream));
        experiment.stale = true;
        self.find_streams(id);
        self.touched.insert(id);
    }

    /// Finds the streams of an experiment by their topics where they are now.
    fn find_streams(&mut self, experiment: Id) {
        let owner = self
            .slots
            .get(experiment.0 as usize)
            .and_then(Option::as_ref);
        let streams = owner.iter().flat_map(|owner| &owner.streams);
        for (stream, known) in (0_u32..).zip(streams) {
            let at = StreamId { experiment, stream };
            self.topics.insert(known.topic.clone(), at);
        }
        self.streams_version += 1;
    }
}
