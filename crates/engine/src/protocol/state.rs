//! What the engine must still know after a restart: a map of small values. A step returns the
//! entries that changed; the map is what an engine is resumed from.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::groups::booking_history::Booked;
use crate::groups::holds::Hold;
use crate::model::{Health, JumpHealth, ResourceName, RouteName, SourceName, Stub};
use crate::protocol::{
    Alert, CategoryState, Closing, Event, Heard, Issue, Lane, ManualOverride, MessageId,
    NotifiedAlert, Summary, kept_message,
};
use crate::suppressions::{Acknowledgement, Maintenance, Silence, Subject, SuppressionId};

/// Everything that survives a restart.
pub type State = BTreeMap<StateKey, StateValue>;

/// An entry that changed. Applied in their order to the state before, changes give the state after.
#[derive(Debug, Clone, PartialEq)]
pub struct StateChange {
    /// Which entry.
    pub key: StateKey,
    /// What it is now; `None`: it is gone.
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

/// What an entry is about. As text it is a path, such as `notified/everybody/experiment/pend00`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum StateKey {
    /// An experiment that is known, and not new.
    Experiment(Stub),
    /// What a route was last notified of about one subject, where that is other than "all is well".
    Notified(RouteName, NotificationSubject),
    /// When an experiment became unusable of late, as a route counts it.
    Unsteady(RouteName, Stub),
    /// What is still to be said of an experiment that is not watched any more.
    Closing(RouteName, Stub),
    /// When a route was last notified of anything.
    Reminder(RouteName),
    /// Recipients of a route who are notified apart.
    Lane(RouteName),
    /// A summary that is not known to have arrived, by its number.
    Outbox(u64),
    /// An acknowledgement.
    Acknowledgement(Subject),
    /// A silence.
    Silence(SuppressionId),
    /// A maintenance window that a maintainer made.
    Maintenance(SuppressionId),
    /// A category that was closed or opened.
    Category(String),
    /// A resource that a person holds.
    Hold(ResourceName),
    /// What a maintainer asked of a resource and book has not confirmed.
    Request(ResourceName),
    /// A source that has reported: what then says that it is at fault is believed.
    Source(SourceName),
    /// The pools of experiments.
    Pools,
    /// The highest number of each kind that was ever given.
    Last(Counter),
}

/// What a notification is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotificationSubject {
    /// An experiment.
    Experiment(Stub),
    /// Something that concerns the whole laboratory.
    Alert(Alert),
}

/// What is numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counter {
    /// Summaries.
    Summary,
    /// Suppressions.
    Suppression,
}

/// What an entry holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateValue {
    /// Of [`StateKey::Experiment`].
    Experiment(Box<ExperimentState>),
    /// Of [`StateKey::Notified`] about an experiment.
    NotifiedExperiment(Heard),
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
/// detection looks at.
const MAX_FLIPS: usize = 26;

/// What is kept of an experiment: how it was, and what of its past still matters.
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
    /// The worst that it is, or was the last time that it was bad.
    #[serde(default)]
    pub worst: Option<Health>,
    /// The remote login as it last was known.
    pub jump: JumpHealth,
    /// When it changed between usable and down by itself, oldest first, at most `MAX_FLIPS` times.
    pub flips: Vec<Timestamp>,
    /// Since when it flaps, by the last change that was its own.
    pub flaps_since: Option<Timestamp>,
    /// What was wrong at the last change that was its own.
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

    /// Takes an event in.
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

    /// An event that no source's outage made.
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

/// A summary that is not known to have arrived, with what of it no later one on its route tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutboxEntry {
    /// Its route.
    pub route: RouteName,
    /// When it was put together.
    pub created: Timestamp,
    /// The experiments that were news in it.
    pub news: Vec<OutboxNews>,
    /// The alerts that were new in it.
    pub alerts: Vec<UnconfirmedAlert>,
    /// The message as each attempt sends it; `None` where an older labwatch kept none, or where it
    /// would say too much by now.
    #[serde(default, deserialize_with = "kept_message::as_far_as_known")]
    pub message: Option<Arc<Summary>>,
    /// The time for which the digest was due, where it is one.
    #[serde(default)]
    pub digest: Option<Timestamp>,
    /// When it is tried again, where an attempt has failed.
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
    /// The health that was told.
    pub health: Health,
    /// Since when it is as it is; of what was never told, since the first summary that was to tell
    /// it.
    pub since: Timestamp,
}

/// What the history shows beside the state: it changes no decision.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// The latest events of experiments, oldest first.
    pub events: BTreeMap<Stub, Vec<Arc<Event>>>,
    /// The bookings that are kept and not over, so that they are not recorded again.
    pub bookings: Vec<Booked>,
}

/// An alert in a summary that is not known to have arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnconfirmedAlert {
    /// What it was.
    pub alert: Alert,
    /// Since when it was so.
    pub since: Timestamp,
    /// When it ended, where it had when the summary was put together.
    pub ended: Option<Timestamp>,
}

/// The summaries that told of one incident: of an experiment's bad time, or of a concern of the
/// laboratory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailThread {
    /// The first one.
    pub root: MessageId,
    /// The latest one.
    pub last: MessageId,
}

/// When the people of a route last heard anything, for reminders and digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReminderState {
    /// When a summary last arrived. It had every open problem in it.
    pub notified_at: Timestamp,
    /// How many reminders came since there was news.
    pub reminders: u32,
    /// The time for which the last digest was due.
    pub digest: Option<Timestamp>,
    /// When messages of the last hour were sent, oldest first: what the budget of the route
    /// counts.
    #[serde(default)]
    pub sent: Vec<Timestamp>,
}

/// What people know about an experiment.
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
