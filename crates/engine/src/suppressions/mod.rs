//! Quiet for a reason: acknowledgements, silences and maintenance windows. They keep mail from being sent and do nothing else: nothing
//! here judges, switches, or forgets what is still to be told.

mod active;
mod entry;
mod refusal;
mod window;

pub use active::check_text;
pub use active::{MAX_TEXT_BYTES, Quiet};
pub use entry::{
    Acknowledgement, Ended, Ending, Maintenance, NamePattern, NoteView, QuietEntry, QuietId,
    QuietKind, Quieted, Silence, Subject,
};
pub use refusal::{QuietLimit, Refused};
pub use window::{Day, MAX_WEEKLY, Occurrence, Schedule, ScheduleError, Weekly};

#[cfg(test)]
mod tests;
