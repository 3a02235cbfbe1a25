//! The judgement: inputs and the time go in, actions come out. Pure: no IO, no clock, no logging, no configuration files.

mod action;
mod event;
mod input;
mod policy;
mod report;
mod snapshot;
mod summary;

pub use action::{Action, ManifestChange, Record, Sample, Switch};
pub use event::{Event, Issue, Why};
pub use input::{BookReading, Input, Link, MailFault, ResourceReading, Role, SampleOutcome, SwitchOutcome};
pub use policy::{Asking, Policy, Sampling};
pub use report::{Connection, Report, Scopes, Traffic};
pub use snapshot::{
    Counts, Evidence, ExperimentView, LastConnection, MailView, ResourceView, SamplingView, Seen, Snapshot, SourceView, StreamView,
};
pub use summary::{Alert, Line, Summary};
