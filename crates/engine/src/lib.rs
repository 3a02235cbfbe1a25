//! The decisions of labwatch: inputs and the time go in; changes, records and effects come out.
//!
//! Pure: no IO, no clock, no logging, no configuration files. The manifest of this crate keeps it so.

#![cfg_attr(
    test,
    allow(clippy::too_many_lines, reason = "a table of cases may be long")
)]
#![warn(missing_docs)]

mod engine;
mod experiments;
mod groups;
pub mod model;
mod notifications;
pub mod protocol;
mod sources;
mod suppressions;
mod switching;

pub use engine::Engine;
pub use experiments::flapping::FlapRule;
pub use experiments::hysteresis::{Hysteresis, HysteresisTimes, Settled};
pub use groups::booking_history::{Booked, BookingChange};
pub use groups::bookings::{Affected, Calendar, Upcoming};
pub use groups::holds::{DEFAULT_OVERDUE_AFTER, Hold, HoldView, ManualHolds};
pub use groups::pool::{Pool, PoolRule, PoolStatus, Pools, Severity};
pub use model::pattern::{matches, stem};
pub use notifications::Digest;
pub use notifications::advice::{
    Advice, AdviceError, Facts, Given, MAX_ADVICE_BYTES, Neighbours, Pattern, Tally,
};
pub use notifications::correlation::{Cause, CauseKind, Loss, Place, group};
pub use notifications::route::{Channel, HttpChannel, Route};
pub use protocol::audience::{Audience, Delivered, Lane, Notification, Recipient, Unreached};
pub use protocol::canary::{CANARY_BOUNDS_MS, CanaryView, Forwarding};
pub use protocol::category::{
    CategoryPool, CategoryRule, CategoryRules, CategoryState, CategoryStates,
    Cause as CategoryCause, ComponentHealth, Fitness,
};
pub use protocol::command::{Command, Impact, ManualOverride, Order, Receipt, Scope};
pub use protocol::effect::{Effect, FeedCommand, Sample, Step, Switch};
pub use protocol::event::{Event, Issue, Why};
pub use protocol::input::{
    BookReading, Booking, DeliveryFault, Input, Link, Outlook, Quarantined, ResourceReading, Role,
    SampleOutcome, Slot, SwitchOutcome, Timetable,
};
pub use protocol::policy::{Asking, Policy, Sampling};
pub use protocol::record::{Level, ManifestChange, Record};
pub use protocol::record_words::RecordFor;
pub use protocol::refusal::Refusal;
pub use protocol::report::{Connection, Report, Scopes, Traffic};
pub use protocol::rules::{PolicyAcknowledgements, Rules};
pub use protocol::snapshot::{
    Counts, Evidence, ExperimentView, FlapView, LastConnection, PoolView, ResourceView, RouteView,
    SamplingView, Seen, Snapshot, SourceView, StreamView, ToldView, UnreachedView,
};
pub use protocol::state::{
    Alert, Counter, ExperimentState, Heard, History, Known, MailThread, MessageId, Notified,
    NotifiedAlert, OutboxEntry, OutboxNews, ReminderState, State, StateChange, StateKey,
    StateValue, Subject as NotificationSubject, UnconfirmedAlert,
};
pub use protocol::summary::{
    Acknowledged, AlertLine, Background, Line, Occasion, Reminder, Steadiness, Summary, Thread,
};
pub use suppressions::{
    Acknowledgement, ActiveSuppressions, Day, Ended, Ending, MAX_TEXT_BYTES, MAX_WEEKLY,
    Maintenance, NamePattern, NoteView, Occurrence, Refused, Schedule, ScheduleError, Silence,
    Subject, Suppression, SuppressionEntry, SuppressionId, SuppressionKind, SuppressionLimit,
    Weekly, check_text,
};
pub use switching::mismatch::Mismatch;
