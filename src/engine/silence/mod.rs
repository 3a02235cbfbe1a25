//! Quiet for a reason: acknowledgements, silences and maintenance windows. They keep mail from being sent and do nothing else: nothing
//! here judges, switches, or forgets what is still to be told.

mod entry;
mod quiet;
mod refused;
mod window;

pub use entry::{
    Acknowledgement, Ended, Ending, Maintenance, NamePattern, NoteView, QuietEntry, QuietId,
    QuietKind, Quieted, Silence, Subject,
};
pub use quiet::check_text;
pub use quiet::{MAX_TEXT_BYTES, Quiet};
pub use refused::{QuietLimit, Refused};
pub use window::{Day, MAX_WEEKLY, Occurrence, Schedule, ScheduleError, Weekly};

#[cfg(test)]
mod tests;
