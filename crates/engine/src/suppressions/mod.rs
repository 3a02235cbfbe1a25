//! Quiet for a reason: acknowledgements, silences and maintenance windows. They keep mail from being sent and do nothing else: nothing
//! here judges, switches, or forgets what is still to be told.

mod active;
mod entry;
mod refusal;
mod window;

pub use active::check_text;
pub use active::{ActiveSuppressions, MAX_TEXT_BYTES};
pub use entry::{
    Acknowledgement, Ended, Ending, Maintenance, NamePattern, NoteView, Silence, Subject,
    Suppression, SuppressionEntry, SuppressionId, SuppressionKind,
};
pub use refusal::{Refused, SuppressionLimit};
pub use window::{Day, MAX_WEEKLY, Occurrence, Schedule, ScheduleError, Weekly};

#[cfg(test)]
mod tests;
