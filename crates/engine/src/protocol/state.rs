//! What the engine must still know after a restart: a map of small values. A step returns the
//! entries that changed; an engine is resumed from the map.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::groups::booking_history::Booked;
use crate::groups::holds::Hold;
use crate::model::{Health, JumpHealth, ResourceName, RouteName, SourceName, Stub};
use crate::protocol::{
    Alert, CategoryState, Closing, Event, Issue, Lane, ManualOverride, MessageId, NotifiedAlert,
    NotifiedExperiment, Summary, kept_message,
};
use crate::suppressions::{Acknowledgement, Maintenance, Silence, Subject, SuppressionId};

/// Everything that survives a restart.
pub type State = BTreeMap<StateKey, StateValue>;

/// A changed entry. Applying changes in order to the state before gives the state after.
#[derive(Debug, Clone, PartialEq)]
pub struct StateChange {
    /// The key of the entry.
    pub key: StateKey,
    /// Its value now; `None`: it is removed.
    pub value: Option<StateValue>,
}

impl StateChange {
    /// Applies it to the state before.
    pub fn apply(self, state: &mut State) {
        match self.value {
            Some(value) => drop(state.insert(self.key, value)),
            None => drop(state.remove(&self.key)),
        }
    }
}

/// The key of an entry. As text it is a path, such as `notified/everybody/experiment/pend00`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum StateKey {
    /// A known experiment that is not new.
    Experiment(Stub),
    /// What a route was last notified of about one subject, where that is other than "all is well".
    Notified(RouteName, NotificationSubject),
    /// When an experiment became unusable of late, as a route counts it.
    Unsteady(RouteName, Stub),
    /// The pending closing notification of an experiment.
    Closing(RouteName, Stub),
    /// When a route was last notified of anything.
    Reminder(RouteName),
    /// Recipients of a route who are notified separately.
    Lane(RouteName),
    /// A summary whose delivery is unconfirmed, by its number.
    Outbox(u64),
    /// An acknowledgement.
    Acknowledgement(Subject),
    /// A silence.
    Silence(SuppressionId),
    /// A maintenance window that a maintainer made.
    Maintenance(SuppressionId),
    /// A category that was closed or opened.
    Category(String),
    /// A manual hold of a resource.
    Hold(ResourceName),
    /// A manual override that book has not confirmed.
    Request(ResourceName),
    /// A source that has reported before, so that evidence of its own fault counts.
    Source(SourceName),
    /// The pools of experiments.
    Pools,
    /// The highest number of each kind that was ever assigned.
    Last(Counter),
}

/// The subject of a notification.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotificationSubject {
    /// An experiment.
    Experiment(Stub),
    /// An alert.
    Alert(Alert),
}

/// The kinds of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counter {
    /// Summaries.
    Summary,
    /// Suppressions.
    Suppression,
}

/// The value of an entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateValue {
    /// Of [`StateKey::Experiment`].
    Experiment(Box<ExperimentState>),
    /// Of [`StateKey::Notified`] about an experiment.
    NotifiedExperiment(NotifiedExperiment),
    /// Of [`StateKey::Notified`] about an alert.
    NotifiedAlert(NotifiedAlert),
    /// Of [`StateKey::Unsteady`]: when, oldest first.
    Unsteady(Vec<Timestamp>),
    /// Of [`StateKey::Closing`].
    Closing(Closing),
    /// Of [`StateKey::Reminder`].
    Reminder(ReminderState),
    /// Of [`StateKey::Lane`].
    Lane(Lane),
    /// Of [`StateKey::Outbox`].
    Outbox(OutboxEntry),
    /// Of [`StateKey::Acknowledgement`].
    Acknowledgement(SuppressionId, Acknowledgement),
    /// Of [`StateKey::Silence`].
    Silence(Silence),
    /// Of [`StateKey::Maintenance`].
    Maintenance(Maintenance),
    /// Of [`StateKey::Category`].
    Category(CategoryState),
    /// Of [`StateKey::Hold`].
    Hold(Hold),
    /// Of [`StateKey::Request`].
    Request(ManualOverride),
    /// Of [`StateKey::Source`]: when its first report was noticed.
    Source(Timestamp),
    /// Of [`StateKey::Pools`].
    Pools(BTreeMap<String, Vec<Stub>>),
    /// Of [`StateKey::Last`].
    Last(u64),
}

/// The most changes between usable and down that are kept of an experiment: as many as flap
/// detection counts.
const MAX_FLIPS: usize = 26;

/// The durable state of an experiment: its last state, and what of its past still matters.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ExperimentState {
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// Its last event; `None` while it was never evaluated.
    pub last: Option<Arc<Event>>,
    /// Since when it has had its health.
    pub since: Option<Timestamp>,
    /// Since when it is bad.
    pub bad_since: Option<Timestamp>,
    /// The worst health of the current bad period, or of the last one.
    #[serde(default)]
    pub worst: Option<Health>,
    /// The last known state of the remote login.
    pub jump: JumpHealth,
    /// When it changed between usable and down by itself, oldest first, at most `MAX_FLIPS` times.
    pub flips: Vec<Timestamp>,
    /// Since when it flaps, by the last change of its own.
    pub flaps_since: Option<Timestamp>,
    /// The issues at the last change of its own.
    pub own_issues: Vec<Issue>,
}

impl ExperimentState {
    /// An experiment that was never evaluated.
    pub fn new(first_seen: Timestamp) -> Self {
        Self {
            first_seen,
            ..Self::default()
        }
    }

    /// Applies an event.
    pub fn note(&mut self, event: Arc<Event>) {
        let was = self.last.as_ref().map(|last| last.health);
        if was != Some(event.health) || self.since.is_none() {
            self.since = Some(event.when);
        }
        (self.bad_since, self.worst) = event.health.after(self.bad_since, self.worst, event.when);
        if event.jump != JumpHealth::Unknown {
            self.jump = event.jump;
        }
        if event.health != Health::Unknown && !event.issues.contains(&Issue::RelayOutage) {
            self.note_own(&event);
        }
        self.last = Some(event);
    }

    /// Applies an event that no source's outage caused.
    fn note_own(&mut self, event: &Event) {
        let flips =
            event.was != Health::Unknown && event.was.is_unusable() != event.health.is_unusable();
        if flips {
            if self.flips.len() >= MAX_FLIPS {
                self.flips.remove(0);
            }
            self.flips.push(event.when);
        }
        self.flaps_since = (event.health == Health::Flapping).then_some(event.when);
        self.own_issues.clone_from(&event.issues);
    }
}

/// A summary whose delivery is unconfirmed, with the part of it that no later one on its route
/// covers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutboxEntry {
    /// Its route.
    pub route: RouteName,
    /// When it was composed.
    pub created: Timestamp,
    /// The experiments that were news in it.
    pub news: Vec<OutboxNews>,
    /// The alerts that were new in it.
    pub alerts: Vec<UnconfirmedAlert>,
    /// The message as each attempt sends it; `None` where an older labwatch stored none, or where
    /// it would say too much by now.
    #[serde(default, deserialize_with = "kept_message::as_far_as_known")]
    pub message: Option<Arc<Summary>>,
    /// The time for which the digest was due, where it is one.
    #[serde(default)]
    pub digest: Option<Timestamp>,
    /// When it is retried, where an attempt has failed.
    #[serde(default)]
    pub not_before: Option<Timestamp>,
    /// Whether that attempt may have arrived all the same: then it waits until that time also
    /// across a restart.
    #[serde(default)]
    pub may_have_arrived: bool,
}

/// An experiment that was news in a summary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutboxNews {
    /// The experiment.
    pub stub: Stub,
    /// The health in the summary.
    pub health: Health,
    /// Since when it is in its state; if that was never delivered, since the first summary that was
    /// to report it.
    pub since: Timestamp,
}

/// The history that is shown besides the state: it changes no decision.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// The latest events of experiments, oldest first.
    pub events: BTreeMap<Stub, Vec<Arc<Event>>>,
    /// The recorded bookings that are not over, so that they are not recorded again.
    pub bookings: Vec<Booked>,
}

/// An alert in a summary whose delivery is unconfirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnconfirmedAlert {
    /// The alert.
    pub alert: Alert,
    /// Since when it was active.
    pub since: Timestamp,
    /// When it ended, where it had when the summary was composed.
    pub ended: Option<Timestamp>,
}

/// The mail thread of one incident: of an experiment's bad period, or of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailThread {
    /// The first message.
    pub root: MessageId,
    /// The latest message.
    pub last: MessageId,
}

/// When a route was last notified of anything, for reminders and digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReminderState {
    /// When a summary last arrived. It had every open problem in it.
    pub notified_at: Timestamp,
    /// How many reminders came since there was news.
    pub reminders: u32,
    /// The time for which the last digest was due.
    pub digest: Option<Timestamp>,
    /// When messages of the last hour were sent, oldest first: counted by the route's budget.
    #[serde(default)]
    pub sent: Vec<Timestamp>,
}

/// The notified state of an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Its health.
    pub health: Health,
    /// What is wrong.
    pub issues: Vec<Issue>,
    /// Whether book lists it.
    pub listed: bool,
    /// Since when it is bad.
    pub bad_since: Option<Timestamp>,
}
