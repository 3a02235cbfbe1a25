//! The judgement: inputs and the time go in, actions come out. Pure: no IO, no clock, no logging, no configuration files.

mod input;
mod report;
mod policy;
mod judge;
mod holding;
mod source;
mod stream;
mod experiment;
mod index;
mod fleet;
mod sampling;
mod availability;
mod reason;
mod telling;
mod core;
mod event;
mod memory;
mod action;
mod summary;
mod snapshot;
mod names;
mod bookings;
mod pool;
mod holds;
mod cause;
mod advice;

pub use action::{Action, FeedCommand, ManifestChange, Record, Sample, Switch};
pub use advice::{Advice, AdviceError, Facts, Given, MAX_ADVICE_BYTES, Neighbours, Pattern, Tally};
pub use bookings::{Affected, Calendar};
pub use cause::{Cause, CauseKind, Loss, Place, group};
pub use core::{Engine, Reason};
pub use event::{Event, Issue, Why};
pub use holding::{HoldTimes, Holding, Settled};
pub use holds::{DEFAULT_OVERDUE_AFTER, Hold, HoldView, Holds};
pub use input::{BookReading, Booking, Input, Link, MailFault, ResourceReading, Role, SampleOutcome, Slot, SwitchOutcome, Timetable};
pub use memory::{Concern, Known, Memory, Remembered, Told};
pub use names::stem;
pub use policy::{Asking, Policy, Sampling};
pub use pool::{Pool, PoolRule, Pools, Severity, Standing};
pub use report::{Connection, Report, Scopes, Traffic};
pub use snapshot::{
    Counts, Evidence, ExperimentView, LastConnection, MailView, ResourceView, SamplingView, Seen, Snapshot, SourceView, StreamView,
};
pub use summary::{Alert, Background, Line, Summary};
