//! What the engine has to know of the time before it was started, and what it says to be kept for that.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::groups::booking_history::Booked;
use crate::groups::holds::Hold;
use crate::model::{Health, ResourceName, RouteName, SourceName, StreamHealth, Stub};
use crate::protocol::command::ManualOverride;
use crate::protocol::event::{Event, Issue};
use crate::suppressions::{SuppressionEntry, SuppressionId};

/// What is remembered at the start. Without any of it the engine begins as on its first day.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Memory {
    /// Every experiment that is known, and not new.
    pub experiments: Vec<Remembered>,
    /// What was told on each route. A route that is not configured any more is forgotten.
    pub routes: BTreeMap<RouteName, RouteMemory>,
    /// The number of the last summary.
    pub last_summary: u64,
    /// What keeps quiet, and what has ended meanwhile without anybody noticing.
    pub quiet: Vec<(SuppressionId, SuppressionEntry)>,
    /// The highest number that was ever given to something that keeps quiet.
    pub last_quiet: u64,
    /// What people want of resources and book has not said yet.
    pub manual_overrides: Vec<(ResourceName, ManualOverride)>,
    /// Resources that people hold, with since when and why.
    pub holds: Vec<(ResourceName, Hold)>,
    /// The bookings that are kept and not over.
    pub bookings: Vec<Booked>,
}

impl Memory {
    /// Whether relay has reported in an earlier run: an experiment was once evaluated by a stream of which relay said how it was.
    pub(crate) fn has_heard_relay(&self) -> bool {
        let of_streams = |event: &Arc<Event>| {
            let mut streams = event.streams.iter();
            streams.any(|(_, health)| *health != StreamHealth::Unknown)
        };
        self.experiments
            .iter()
            .any(|experiment| experiment.events.iter().any(of_streams))
    }
}

/// What is remembered of a route.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RouteMemory {
    /// What people were last told, where that is other than "all is well".
    pub notified: Vec<Notified>,
    /// Experiments of summaries of which nobody knows whether they arrived, with since when they were bad.
    pub unconfirmed: Vec<(Stub, Timestamp)>,
    /// What concerned the whole laboratory in such summaries, oldest first.
    pub owed_concerns: Vec<UnconfirmedAlert>,
}

/// Something that concerned the whole laboratory, in a summary of which nobody knows whether it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnconfirmedAlert {
    /// What it was.
    pub alert: Alert,
    /// Since when it was so.
    pub since: Timestamp,
    /// When it ended, where it had when the summary was put together.
    pub ended: Option<Timestamp>,
}

/// What is remembered of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Remembered {
    /// Its name.
    pub stub: Stub,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// Its latest events, oldest first.
    pub events: Vec<Arc<Event>>,
}

/// What the people of a route were told about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notified {
    /// About an experiment; `None`: that it is well.
    Experiment(Stub, Option<Heard>),
    /// About the whole laboratory; `None`: that it has ended.
    Alert(Alert, Option<NotifiedAlert>),
    /// When they last heard anything.
    ReminderState(ReminderState),
}

/// What people heard about an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// What they know.
    pub known: Known,
    /// The summaries that told it; `None` where an older labwatch kept none.
    pub thread: Option<MailThread>,
}

/// What people heard about something that concerns the whole laboratory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotifiedAlert {
    /// Since when it is so.
    pub since: Timestamp,
    /// The summaries that told it; `None` where an older labwatch kept none.
    pub thread: Option<MailThread>,
}

/// The summaries that told of one incident: of an experiment's bad time, or of a concern of the laboratory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailThread {
    /// The first one.
    pub root: MessageId,
    /// The latest one.
    pub last: MessageId,
}

/// What tells a summary from every other. No two are put together in the same nanosecond with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MessageId {
    /// When the summary was put together.
    pub at: Timestamp,
    /// Its number.
    pub id: u64,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "labwatch.{}.{}", self.at.as_nanosecond(), self.id)
    }
}

/// When the people of a route last heard anything, for reminders and digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReminderState {
    /// When a summary last arrived. It had every open problem in it.
    pub notified_at: Timestamp,
    /// How many reminders came since there was news.
    pub reminders: u32,
    /// The time for which the last digest was due.
    pub digest: Option<Timestamp>,
}

/// What people know about an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// Something that concerns the whole laboratory. The order is that in a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Alert {
    /// All sources are silent: we are cut off.
    Blind,
    /// A source tells nothing.
    Source(SourceName),
    /// Book has lost its manifest.
    ManifestLost,
    /// Streams cannot be sampled as often as the rule needs.
    Sampling,
}

impl Alert {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Blind,
        Self::Source(SourceName::Relay),
        Self::Source(SourceName::Jump),
        Self::Source(SourceName::Book),
        Self::ManifestLost,
        Self::Sampling,
    ];

    /// A word for it that stays the same.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blind => "blind",
            Self::Source(name) => name.as_str(),
            Self::ManifestLost => "manifest",
            Self::Sampling => "sampling",
        }
    }
}
