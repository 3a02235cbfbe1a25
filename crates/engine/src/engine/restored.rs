//! The durable state, sorted by the part of the engine that restores it.

use std::collections::BTreeMap;

use crate::groups::holds::Hold;
use crate::model::{ResourceName, RouteName, SourceName, Stub};
use crate::protocol::{
    CategoryState, Counter, ExperimentState, Lane, ManualOverride, NotificationSubject, Notified,
    OutboxEntry, State, StateKey, StateValue,
};
use crate::suppressions::{SuppressionEntry, SuppressionId};

/// The durable state by the part that restores it. An empty one makes the engine start as on its
/// first day.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct RestoredState {
    /// Every known experiment, except new ones.
    pub(crate) experiments: Vec<(Stub, ExperimentState)>,
    /// What each route was notified of. A route that is no longer configured is forgotten.
    pub(crate) routes: BTreeMap<RouteName, RestoredRoute>,
    /// The number of the last summary.
    pub(crate) last_summary: u64,
    /// Suppressions; some may be over by now.
    pub(crate) suppressions: Vec<(SuppressionId, SuppressionEntry)>,
    /// The highest suppression number ever assigned.
    pub(crate) last_suppression: u64,
    /// Manual overrides that book has not confirmed.
    pub(crate) manual_overrides: Vec<(ResourceName, ManualOverride)>,
    /// Held resources, with since when and why.
    pub(crate) holds: Vec<(ResourceName, Hold)>,
    /// The sources that have reported.
    pub(crate) proven: Vec<SourceName>,
    /// The pools in the history.
    pub(crate) pools: BTreeMap<String, Vec<Stub>>,
    /// Categories that were closed or opened.
    pub(crate) categories: Vec<(String, CategoryState)>,
}

/// The durable state of a route.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct RestoredRoute {
    /// What it was last notified of, where that is other than "all is well".
    pub(crate) notified: Vec<Notified>,
    /// The messages that are not known to have arrived, oldest first.
    pub(crate) outbox: Vec<OutboxEntry>,
    /// The lane that it is, if it is one.
    pub(crate) lane: Option<Lane>,
}

impl RestoredState {
    /// Sorts a state by what restores it. An entry whose value is of another kind than its key is
    /// left out.
    pub(crate) fn of(state: &State) -> Self {
        let mut restored = Self::default();
        for (key, value) in state {
            restored.take(key.clone(), value.clone());
        }
        restored
    }

    fn take(&mut self, key: StateKey, value: StateValue) {
        match (key, value) {
            (StateKey::Experiment(stub), StateValue::Experiment(state)) => {
                self.experiments.push((stub, *state));
            }
            (
                StateKey::Notified(route, NotificationSubject::Experiment(stub)),
                StateValue::NotifiedExperiment(known),
            ) => self.notified(route, Notified::Experiment(stub, Some(known))),
            (
                StateKey::Notified(route, NotificationSubject::Alert(alert)),
                StateValue::NotifiedAlert(known),
            ) => self.notified(route, Notified::Alert(alert, Some(known))),
            (StateKey::Unsteady(route, stub), StateValue::Unsteady(times)) => {
                self.notified(route, Notified::Unsteady(stub, times));
            }
            (StateKey::Closing(route, stub), StateValue::Closing(closing)) => {
                self.notified(route, Notified::Closing(stub, Some(closing)));
            }
            (StateKey::Reminder(route), StateValue::Reminder(state)) => {
                self.notified(route, Notified::ReminderState(state));
            }
            (StateKey::Lane(name), StateValue::Lane(lane)) => {
                self.routes.entry(name).or_default().lane = Some(lane);
            }
            (StateKey::Outbox(_), StateValue::Outbox(entry)) => {
                let route = self.routes.entry(entry.route.clone()).or_default();
                route.outbox.push(entry);
            }
            (StateKey::Acknowledgement(_), StateValue::Acknowledgement(id, entry)) => {
                let entry = SuppressionEntry::Acknowledgement(entry);
                self.suppressions.push((id, entry));
            }
            (StateKey::Silence(id), StateValue::Silence(entry)) => {
                self.suppressions
                    .push((id, SuppressionEntry::Silence(entry)));
            }
            (StateKey::Maintenance(id), StateValue::Maintenance(entry)) => {
                let entry = SuppressionEntry::Maintenance(entry);
                self.suppressions.push((id, entry));
            }
            (StateKey::Category(name), StateValue::Category(state)) => {
                self.categories.push((name, state));
            }
            (StateKey::Hold(resource), StateValue::Hold(hold)) => self.holds.push((resource, hold)),
            (StateKey::Request(resource), StateValue::Request(manual_override)) => {
                self.manual_overrides.push((resource, manual_override));
            }
            (StateKey::Source(name), StateValue::Source(_)) => self.proven.push(name),
            (StateKey::Pools, StateValue::Pools(pools)) => self.pools = pools,
            (StateKey::Last(Counter::Summary), StateValue::Last(number)) => {
                self.last_summary = number;
            }
            (StateKey::Last(Counter::Suppression), StateValue::Last(number)) => {
                self.last_suppression = number;
            }
            _ => {}
        }
    }

    fn notified(&mut self, route: RouteName, notified: Notified) {
        self.routes
            .entry(route)
            .or_default()
            .notified
            .push(notified);
    }
}
