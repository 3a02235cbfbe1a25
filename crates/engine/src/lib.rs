//! The decisions of labwatch: inputs and the time go in; changes, records and effects come out.
//!
//! Pure: no IO, no clock, no logging, no configuration files. The manifest of this crate keeps it
//! so.

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
pub use protocol::alert::Alert;
pub use protocol::audience::{Audience, Delivered, Lane, Notification, Recipient, Unreached};
pub use protocol::canary::{
    CANARY_BOUNDS_MS, CANARY_MINUTES, CanaryMinute, CanaryView, Forwarding,
};
pub use protocol::category::{
    CategoryPool, CategoryRule, CategoryRules, CategoryState, CategoryStates,
    Cause as CategoryCause, ComponentHealth, Fitness, Quarantined,
};
pub use protocol::command::{Command, Impact, ManualOverride, Order, Receipt, Scope};
pub use protocol::counts::Counts;
pub use protocol::delivery_fault::{DeliveryFault, Outlook};
pub use protocol::effect::{Effect, FeedCommand, Sample, Step, Switch};
pub use protocol::event::{Event, Issue, Why};
pub use protocol::input::{BookReading, Input, ResourceReading, SampleOutcome, SwitchOutcome};
pub use protocol::link::Link;
pub use protocol::message_id::MessageId;
pub use protocol::notified::{Notified, NotifiedAlert, NotifiedExperiment};
pub use protocol::page::{PageHealth, PageOutcome, PageUse, PageView};
pub use protocol::policy::{Asking, Policy, Sampling};
pub use protocol::record::{Level, ManifestChange, Record};
pub use protocol::record_words::RecordFor;
pub use protocol::refusal::Refusal;
pub use protocol::report::{Connection, Report, Scopes, Traffic};
pub use protocol::role::Role;
pub use protocol::route_view::{NotifiedView, RouteView, UnreachedView};
pub use protocol::rules::{PolicyAcknowledgements, Rules};
pub use protocol::snapshot::{
    Evidence, ExperimentView, FlapView, LastConnection, PoolView, ResourceView, SamplingView, Seen,
    Snapshot, SourceView, StreamView,
};
pub use protocol::state::{
    Counter, ExperimentState, History, Known, MailThread, OutboxEntry, OutboxNews, ReminderState,
    State, StateChange, StateKey, StateValue, Subject as NotificationSubject, UnconfirmedAlert,
};
pub use protocol::summary::{
    Acknowledged, AlertLine, Background, Line, Occasion, Reminder, Steadiness, Summary, Thread,
};
pub use protocol::timetable::{Booking, Slot, Timetable};
pub use suppressions::{
    Acknowledgement, ActiveSuppressions, Day, Ended, Ending, MAX_TEXT_BYTES, MAX_WEEKLY,
    Maintenance, NamePattern, NoteView, Occurrence, Refused, Schedule, ScheduleError, Silence,
    Subject, Suppression, SuppressionEntry, SuppressionId, SuppressionKind, SuppressionLimit,
    Weekly, check_text,
};
pub use switching::mismatch::Mismatch;
