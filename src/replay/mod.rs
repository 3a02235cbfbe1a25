//! The engine in virtual time: runs recordings of real servers through it and prints the outcome.
//! Reads the files of a recording; does no other IO and reads no clock.

mod play;
mod print;
mod recording;
mod words;

use std::io::Write;
use std::path::Path;

use engine::Policy;

pub use play::{Outcome, STARTUP, Switched, replay};
pub use print::{json, text};
pub use recording::{Exchange, MAX_FILE_BYTES, MAX_LINE_BYTES, Recorded, Recording, ReplayError};
pub use words::{Clock, Kind, Notified};

/// Reads the recording in `folder`, runs it through an engine and prints the outcome, as text or as
/// JSON lines.
///
/// # Errors
/// [`ReplayError`] when the recording cannot be read or the result not be written.
pub fn run(
    folder: &Path,
    policy: Policy,
    as_json: bool,
    out: &mut dyn Write,
) -> Result<(), ReplayError> {
    let outcome = replay(&Recording::read(folder)?, policy);
    let printed = if as_json {
        json(&outcome, out)
    } else {
        text(&outcome, out)
    };
    printed.map_err(ReplayError::Write)
}
