//! The durable state: applies the records of a step to the map that survives a restart, and reports
//! the changed entries.

use std::sync::Arc;

use jiff::Timestamp;

use super::outbox;
use crate::groups::holds::Hold;
use crate::model::{ResourceName, RouteName, SourceHealth, Stub};
use crate::protocol::{
    Counter, Event, ExperimentState, Lane, NotificationSubject, Notified, Record, State,
    StateChange, StateKey, StateValue, Step,
};
use crate::suppressions::{SuppressionEntry, SuppressionId};

/// The map, and the entries that changed in this step.
#[derive(Debug, Clone, Default)]
pub(super) struct DurableState {
    map: State,
    changes: Vec<StateChange>,
}

impl DurableState {
    pub(super) fn new(map: State) -> Self {
        Self {
            map,
            changes: Vec::new(),
        }
    }

    pub(super) fn map(&self) -> &State {
        &self.map
    }

    /// Applies what a step recorded, and adds the resulting changes. Summaries that a later one
    /// supersedes are recorded too.
    pub(super) fn follow(&mut self, step: &mut Step, at: Timestamp) {
        let mut superseded = Vec::new();
        for record in &step.records {
            self.note(record, at, &mut superseded);
        }
        step.records
            .extend(superseded.into_iter().map(Record::Superseded));
        step.changes = std::mem::take(&mut self.changes);
    }

    fn note(&mut self, record: &Record, at: Timestamp, superseded: &mut Vec<u64>) {
        match record {
            Record::Seen(stub) => self.set_once(
                StateKey::Experiment(stub.clone()),
                StateValue::Experiment(Box::new(ExperimentState::new(at))),
            ),
            Record::Event { stub, event } => self.event(stub, event),
            Record::Forgotten(stub) => {
                let subject = NotificationSubject::Experiment(stub.clone());
                superseded.extend(outbox::cross_out(self, None, &[subject]));
                self.remove(&StateKey::Experiment(stub.clone()));
            }
            Record::Notified { route, notified } => {
                superseded.extend(self.notified(route, notified));
            }
            Record::RouteGone(route) => superseded.extend(self.route_gone(route)),
            Record::Notifying(notification) => {
                superseded.extend(outbox::send(self, notification, at));
                self.set(
                    StateKey::Last(Counter::Summary),
                    StateValue::Last(notification.id),
                );
            }
            Record::Delivered {
                id,
                outcome: Ok(delivered),
            } if delivered.counts().0 == 0 => self.remove(&StateKey::Outbox(*id)),
            Record::Lane { name, lane } => superseded.extend(self.lane(name, lane.as_ref())),
            Record::Waiting {
                id,
                lane,
                until,
                may_have_arrived,
            } => outbox::wait(self, *id, lane, *until, *may_have_arrived),
            Record::Suppression { id, entry } => self.suppression(*id, entry),
            Record::SuppressionEnded(ended) => {
                self.remove(&suppression_key(ended.id, &ended.entry));
            }
            Record::Category { name, state } => self.set(
                StateKey::Category(name.clone()),
                StateValue::Category((**state).clone()),
            ),
            Record::Hold { resource, reason } => self.hold(resource, reason.as_deref(), at),
            Record::Requested {
                resource,
                manual_override,
            } => {
                let value = manual_override.clone().map(StateValue::Request);
                self.put(StateKey::Request(resource.clone()), value);
            }
            Record::Pools(pools) => self.set(StateKey::Pools, StateValue::Pools(pools.clone())),
            Record::Source {
                name,
                health: SourceHealth::Live,
                ..
            } => self.set_once(StateKey::Source(*name), StateValue::Source(at)),
            Record::Switching(_)
            | Record::Switched { .. }
            | Record::Source { .. }
            | Record::Commanded { .. }
            | Record::Manifest(_)
            | Record::Bookings(_)
            | Record::Blind(_)
            | Record::SecondLook { .. }
            | Record::Delivered { .. }
            | Record::Retrying { .. }
            | Record::Superseded(_)
            | Record::Page { .. }
            | Record::Sampling { .. } => {}
        }
    }

    /// Sets an entry unless there is one.
    fn set_once(&mut self, key: StateKey, value: StateValue) {
        if !self.map.contains_key(&key) {
            self.set(key, value);
        }
    }

    fn event(&mut self, stub: &Stub, event: &Arc<Event>) {
        let key = StateKey::Experiment(stub.clone());
        let mut state = match self.map.get(&key) {
            Some(StateValue::Experiment(state)) => state.clone(),
            Some(_) | None => Box::new(ExperimentState::new(event.when)),
        };
        state.note(Arc::clone(event));
        self.set(key, StateValue::Experiment(state));
    }

    /// Updates what a route was notified of. What it is not to be notified of any more is no longer
    /// pending either. Returns the summaries that this supersedes.
    fn notified(&mut self, route: &RouteName, notified: &Notified) -> Vec<u64> {
        let of = |stub: &Stub| (route.clone(), stub.clone());
        let (key, value) = match notified {
            Notified::Experiment(stub, known) => (
                StateKey::Notified(route.clone(), NotificationSubject::Experiment(stub.clone())),
                known.clone().map(StateValue::NotifiedExperiment),
            ),
            Notified::Alert(alert, known) => (
                StateKey::Notified(route.clone(), NotificationSubject::Alert(alert.clone())),
                known.map(StateValue::NotifiedAlert),
            ),
            Notified::Unsteady(stub, times) => {
                let (route, stub) = of(stub);
                let times = (!times.is_empty()).then(|| StateValue::Unsteady(times.clone()));
                (StateKey::Unsteady(route, stub), times)
            }
            Notified::Closing(stub, closing) => {
                let (route, stub) = of(stub);
                let closing = closing.clone().map(StateValue::Closing);
                (StateKey::Closing(route, stub), closing)
            }
            Notified::ReminderState(state) => (
                StateKey::Reminder(route.clone()),
                Some(StateValue::Reminder(state.clone())),
            ),
        };
        let superseded = match (&key, &value) {
            (StateKey::Notified(_, subject), None) => {
                outbox::cross_out(self, Some(route), std::slice::from_ref(subject))
            }
            _ => Vec::new(),
        };
        self.put(key, value);
        superseded
    }

    /// Updates a lane. One whose recipients know what the others know leaves no entries behind.
    fn lane(&mut self, name: &RouteName, lane: Option<&Lane>) -> Vec<u64> {
        self.put(
            StateKey::Lane(name.clone()),
            lane.cloned().map(StateValue::Lane),
        );
        lane.map_or_else(|| self.route_gone(name), |_| Vec::new())
    }

    fn route_gone(&mut self, route: &RouteName) -> Vec<u64> {
        let of_route = |(key, value): (&StateKey, &StateValue)| match (key, value) {
            (
                StateKey::Notified(of, _)
                | StateKey::Reminder(of)
                | StateKey::Unsteady(of, _)
                | StateKey::Closing(of, _)
                | StateKey::Lane(of),
                _,
            ) => *of == *route,
            (StateKey::Outbox(_), StateValue::Outbox(entry)) => entry.route == *route,
            _ => false,
        };
        let gone = self.map.iter().filter(|entry| of_route(*entry));
        let gone: Vec<StateKey> = gone.map(|(key, _)| key.clone()).collect();
        for key in &gone {
            self.remove(key);
        }
        gone.iter().filter_map(outbox::id).collect()
    }

    fn suppression(&mut self, id: SuppressionId, entry: &SuppressionEntry) {
        let value = match entry.clone() {
            SuppressionEntry::Acknowledgement(entry) => StateValue::Acknowledgement(id, entry),
            SuppressionEntry::Silence(entry) => StateValue::Silence(entry),
            SuppressionEntry::Maintenance(entry) => StateValue::Maintenance(entry),
        };
        self.set(suppression_key(id, entry), value);
        self.set(StateKey::Last(Counter::Suppression), StateValue::Last(id.0));
    }

    fn hold(&mut self, resource: &ResourceName, reason: Option<&str>, at: Timestamp) {
        let key = StateKey::Hold(resource.clone());
        let since = match self.map.get(&key) {
            Some(StateValue::Hold(hold)) => hold.since,
            Some(_) | None => at,
        };
        let hold = reason.map(|reason| {
            StateValue::Hold(Hold {
                since,
                touched: at,
                reason: reason.to_owned(),
            })
        });
        self.put(key, hold);
    }

    pub(super) fn set(&mut self, key: StateKey, value: StateValue) {
        self.put(key, Some(value));
    }

    pub(super) fn remove(&mut self, key: &StateKey) {
        self.put(key.clone(), None);
    }

    fn put(&mut self, key: StateKey, value: Option<StateValue>) {
        if self.map.get(&key) == value.as_ref() {
            return;
        }
        match value.clone() {
            Some(value) => drop(self.map.insert(key.clone(), value)),
            None => drop(self.map.remove(&key)),
        }
        self.changes.push(StateChange { key, value });
    }
}

fn suppression_key(id: SuppressionId, entry: &SuppressionEntry) -> StateKey {
    match entry {
        SuppressionEntry::Acknowledgement(entry) => {
            StateKey::Acknowledgement(entry.subject.clone())
        }
        SuppressionEntry::Silence(_) => StateKey::Silence(id),
        SuppressionEntry::Maintenance(_) => StateKey::Maintenance(id),
    }
}
