//! The decisions of labwatch: inputs and the time go in; changes, records and effects come out.
//!
//! Pure: no IO, no clock, no logging, no configuration files. The manifest of this crate keeps it so.

mod engine;
mod experiments;
mod groups;
pub mod model;
mod notifications;
pub mod protocol;
mod sources;
mod suppressions;
mod switching;

pub use engine::{Engine, Reason};
pub use experiments::flapping::FlapRule;
pub use experiments::hysteresis::{HoldTimes, Holding, Settled};
pub use groups::booking_history::{Booked, BookingChange};
pub use groups::bookings::{Affected, Calendar, Upcoming};
pub use groups::holds::{DEFAULT_OVERDUE_AFTER, Hold, HoldView, Holds};
pub use groups::pool::{Pool, PoolRule, Pools, Severity, Standing};
pub use model::pattern::{matches, stem};
pub use notifications::Digest;
pub use notifications::advice::{
    Advice, AdviceError, Facts, Given, MAX_ADVICE_BYTES, Neighbours, Pattern, Tally,
};
pub use notifications::correlation::{Cause, CauseKind, Loss, Place, group};
pub use notifications::route::{Channel, Route};
pub use protocol::command::{Command, Effect, Order, Receipt, Scope, Wish};
pub use protocol::effect::{Action, FeedCommand, ManifestChange, Record, Sample, Switch};
pub use protocol::event::{Event, Issue, Why};
pub use protocol::input::{
    BookReading, Booking, DeliveryFault, Input, KeptBack, Link, ResourceReading, Role,
    SampleOutcome, Slot, SwitchOutcome, Timetable,
};
pub use protocol::policy::{Asking, Policy, Sampling};
pub use protocol::refusal::Refusal;
pub use protocol::report::{Connection, Report, Scopes, Traffic};
pub use protocol::rules::Rules;
pub use protocol::snapshot::{
    Counts, Evidence, ExperimentView, FlapView, LastConnection, PoolView, ResourceView, RouteView,
    SamplingView, Seen, Snapshot, SourceView, StreamView, ToldView,
};
pub use protocol::state::{
    Concern, Heard, HeardConcern, Known, Memory, MessageId, OwedConcern, Remembered, Rounds,
    RouteMemory, Strand, Told,
};
pub use protocol::summary::{Alert, Background, Line, Occasion, Summary, Thread};
pub use suppressions::{
    Acknowledgement, Day, Ended, Ending, MAX_TEXT_BYTES, MAX_WEEKLY, Maintenance, NamePattern,
    NoteView, Occurrence, Quiet, QuietEntry, QuietId, QuietKind, QuietLimit, Quieted, Refused,
    Schedule, ScheduleError, Silence, Subject, Weekly, check_text,
};
pub use switching::mismatch::Mismatch;
