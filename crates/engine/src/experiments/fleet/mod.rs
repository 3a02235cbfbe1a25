//! All experiments: found by name, updated from reports, evaluated when affected.

mod agenda;
mod members;
mod report;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) use view::Repainted;

use crate::experiments::evaluate::{PageFacts, SampleEvidence};
use crate::experiments::experiment::Experiment;
use crate::experiments::stream::Stream;
use crate::model::index::Index;
use crate::model::{Moment, Stub, Topic};
use crate::protocol::{Event, PageView, Report, Scopes};

/// An experiment's index. It stays the same as long as the experiment is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id(u32);

/// A stream's index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StreamId {
    pub(crate) experiment: Id,
    pub(crate) stream: u32,
}

/// The newest report of a source, with its number and when it came.
#[derive(Debug, Clone, Default)]
struct Newest {
    number: u64,
    at: Option<Moment>,
    report: Arc<Report>,
}

impl Newest {
    /// Stores `report` as the newest, and returns the one before.
    fn replace(&mut self, report: &Arc<Report>, now: Moment) -> Self {
        let next = Self {
            number: self.number + 1,
            at: Some(now),
            report: Arc::clone(report),
        };
        std::mem::replace(self, next)
    }
}

/// The views that have to be rebuilt.
pub(crate) struct Touched {
    changed: BTreeSet<Id>,
    gone: Vec<Stub>,
}

/// All experiments.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fleet {
    slots: Vec<Option<Experiment>>,
    free: Vec<u32>,
    by_stub: BTreeMap<Stub, Id>,
    stubs: Index<Stub, Id>,
    topics: Index<Topic, StreamId>,
    agenda: BTreeSet<(Moment, Id)>,
    relay: Newest,
    jump: Newest,
    /// The number of relay's newest report where it is the first that shows most of the fleet as
    /// lost.
    pub(crate) unconfirmed_report: Option<u64>,
    /// Experiments whose views changed since the last snapshot.
    touched: BTreeSet<Id>,
    gone: Vec<Stub>,
    /// Experiments that have become known, and those that were forgotten, since this was last read.
    seen: Vec<Stub>,
    forgotten: Vec<Stub>,
    /// Grows whenever the set of streams changes.
    pub(crate) streams_version: u64,
}

impl Fleet {
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

    fn stream_mut(&mut self, topic: &str) -> Option<&mut Stream> {
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

    /// All experiments with their places, in the order of their names.
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

    /// Whether relay's newest report has an experiment's stream without saying when it transmitted.
    pub(crate) fn lacks_statistics(&self) -> bool {
        self.relay
            .report
            .iter()
            .any(|c| c.tx.is_none() && c.scopes.has(Scopes::EXPT))
    }

    /// All experiments, in the order of their names.
    pub(crate) fn experiments(&self) -> impl Iterator<Item = &Experiment> {
        self.iter().map(|(_, experiment)| experiment)
    }

    pub(crate) fn relay_report(&self) -> Option<&Arc<Report>> {
        self.relay.at.map(|_| &self.relay.report)
    }

    pub(crate) fn jump_report(&self) -> Option<&Arc<Report>> {
        self.jump.at.map(|_| &self.jump.report)
    }

    /// Replaces the latest events of a known experiment, oldest first.
    pub(crate) fn show_events(&mut self, stub: &Stub, events: Vec<Arc<Event>>) {
        if let Some(experiment) = self.find(stub.as_str()).and_then(|id| self.get_mut(id)) {
            experiment.show_events(events);
        }
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

    /// Experiments that have become known since the last call.
    pub(crate) fn take_seen(&mut self) -> Vec<Stub> {
        std::mem::take(&mut self.seen)
    }

    /// Experiments that were forgotten since the last call.
    pub(crate) fn take_forgotten(&mut self) -> Vec<Stub> {
        std::mem::take(&mut self.forgotten)
    }

    /// Marks every experiment for evaluation, although nothing was observed.
    pub(crate) fn reconsider_all(&mut self) {
        self.slots
            .iter_mut()
            .flatten()
            .for_each(|experiment| experiment.stale = true);
    }

    /// Stores the observations of an experiment's pages. Returns whether they changed.
    pub(crate) fn observe_pages(&mut self, id: Id, facts: PageFacts, views: Vec<PageView>) -> bool {
        let is_new = self
            .get_mut(id)
            .is_some_and(|experiment| experiment.observe_pages(facts, views));
        if is_new {
            self.touched.insert(id);
        }
        is_new
    }

    /// Takes note of what listening to a stream has shown, where it is connected. Returns the
    /// experiment that it belongs to.
    pub(crate) fn note_evidence(&mut self, topic: &Topic, evidence: SampleEvidence) -> Option<Id> {
        let stream = self.stream_mut(topic.as_str());
        if let Some(stream) = stream.filter(|stream| stream.is_connected()) {
            stream.note_evidence(evidence);
        }
        self.owner(topic.as_str())
    }

    /// Marks the view of an experiment as changed.
    pub(crate) fn mark_dirty(&mut self, id: Id) {
        self.touched.insert(id);
    }

    /// Marks the views of all experiments as changed.
    pub(crate) fn touch_all(&mut self) {
        self.touched.extend(self.by_stub.values().copied());
    }

    pub(crate) fn is_touched(&self) -> bool {
        !self.touched.is_empty() || !self.gone.is_empty()
    }

    /// Takes what changed or was forgotten since the last snapshot, and clears it.
    pub(crate) fn take_touched(&mut self) -> Touched {
        Touched {
            changed: std::mem::take(&mut self.touched),
            gone: std::mem::take(&mut self.gone),
        }
    }
}
