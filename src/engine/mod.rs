//! The judgement: inputs and the time go in, actions come out. Pure: no IO, no clock, no logging, no configuration files.

mod input;
mod report;
mod policy;
mod judge;
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
mod action;
mod summary;
mod snapshot;

pub use action::{Action, FeedCommand, ManifestChange, Record, Sample, Switch};
pub use core::{Engine, Reason};
pub use event::{Event, Issue, Why};
pub use input::{BookReading, Input, Link, MailFault, ResourceReading, Role, SampleOutcome, SwitchOutcome};
pub use policy::{Asking, Policy, Sampling};
pub use report::{Connection, Report, Scopes, Traffic};
pub use snapshot::{
    Counts, Evidence, ExperimentView, LastConnection, MailView, ResourceView, SamplingView, Seen, Snapshot, SourceView, StreamView,
};
pub use summary::{Alert, Line, Summary};
