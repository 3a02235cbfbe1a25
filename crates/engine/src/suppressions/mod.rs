//! Suppressions: acknowledgements, silences and maintenance windows. They hold notifications back
//! and do nothing else: nothing here evaluates, switches, or drops pending notifications.

mod active;
mod current;
mod entry;
mod limits;
mod refusal;
mod window;

pub(crate) use current::{SuppressionLookup, Suppressions};

pub use active::ActiveSuppressions;
pub use entry::{
    Acknowledgement, Ended, Ending, Maintenance, NoteView, Silence, Subject, Suppression,
    SuppressionEntry, SuppressionId, SuppressionKind,
};
pub use limits::check_text;
pub use refusal::Refused;
pub use window::{Day, Occurrence, Schedule, Weekly};

#[cfg(test)]
mod tests;
