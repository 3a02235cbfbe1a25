//! The judgement: inputs and the time go in, actions come out. Pure: no IO, no clock, no logging, no configuration files.

mod action;
mod advice;
mod availability;
mod bookings;
mod cause;
mod command;
mod core;
mod diary;
mod event;
mod experiment;
mod flapping;
mod fleet;
mod holding;
mod holds;
mod index;
mod input;
mod judge;
mod memory;
mod mismatch;
mod names;
mod plan;
mod policy;
mod pool;
mod reason;
mod refusal;
mod report;
mod route;
mod rules;
mod sampling;
mod silence;
mod snapshot;
mod source;
mod stream;
mod summary;
mod telling;

pub use action::{Action, FeedCommand, ManifestChange, Record, Sample, Switch};
pub use advice::{Advice, AdviceError, Facts, Given, MAX_ADVICE_BYTES, Neighbours, Pattern, Tally};
pub use bookings::{Affected, Calendar, Upcoming};
pub use cause::{Cause, CauseKind, Loss, Place, group};
pub use command::{Command, Effect, Order, Receipt, Scope, Wish};
pub use core::{Engine, Reason};
pub use diary::{Booked, BookingChange};
pub use event::{Event, Issue, Why};
pub use flapping::FlapRule;
pub use holding::{HoldTimes, Holding, Settled};
pub use holds::{DEFAULT_OVERDUE_AFTER, Hold, HoldView, Holds};
pub use input::{
    BookReading, Booking, DeliveryFault, Input, KeptBack, Link, ResourceReading, Role,
    SampleOutcome, Slot, SwitchOutcome, Timetable,
};
pub use memory::{
    Concern, Heard, HeardConcern, Known, Memory, MessageId, OwedConcern, Remembered, Rounds,
    RouteMemory, Strand, Told,
};
pub use mismatch::Mismatch;
pub use names::{matches, stem};
pub use policy::{Asking, Policy, Sampling};
pub use pool::{Pool, PoolRule, Pools, Severity, Standing};
pub use refusal::Refusal;
pub use report::{Connection, Report, Scopes, Traffic};
pub use route::{Channel, Route};
pub use rules::Rules;
pub use silence::{
    Acknowledgement, Day, Ended, Ending, MAX_TEXT_BYTES, MAX_WEEKLY, Maintenance, NamePattern,
    NoteView, Occurrence, Quiet, QuietEntry, QuietId, QuietKind, QuietLimit, Quieted, Refused,
    Schedule, ScheduleError, Silence, Subject, Weekly, check_text,
};
pub use snapshot::{
    Counts, Evidence, ExperimentView, FlapView, LastConnection, PoolView, ResourceView, RouteView,
    SamplingView, Seen, Snapshot, SourceView, StreamView, ToldView,
};
pub use summary::{Alert, Background, Line, Occasion, Summary, Thread};
pub use telling::Digest;
