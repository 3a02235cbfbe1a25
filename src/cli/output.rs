//! Output of commands. On standard error in systemd's journal each line has its priority, so that
//! `journalctl -p err` finds what stops a start or a reload.

use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;

use super::failure::Failure;
use crate::telemetry::journal;

/// The output format of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Output {
    /// For people.
    #[default]
    Text,
    /// JSON.
    Json,
}

/// A result as JSON.
pub(super) fn json(result: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(result)
        .map_err(|error| Failure::Failed(format!("The result cannot be written as JSON: {error}.")))
}

/// The priority of a line in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Priority {
    Error = 3,
    Warning = 4,
    Note = 6,
}

/// Prints on standard output. A reader that has closed the pipe has read enough.
pub(super) fn say(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{}", text.trim_end()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Failed(format!(
            "Standard output cannot be written: {error}."
        ))),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Prints an error on standard error.
pub(super) fn complain(text: &str) {
    print(text, Priority::Error);
}

/// Prints a warning on standard error.
pub(super) fn warn(text: &str) {
    print(text, Priority::Warning);
}

/// Prints on standard error a note about a result on standard output.
pub(super) fn note(text: &str) {
    print(text, Priority::Note);
}

/// Prints on standard error why a command failed.
pub(super) fn failed(failure: &Failure) {
    let problems = failure.problems();
    match problems.as_slice() {
        all if !matches!(failure, Failure::Configuration(_)) => {
            for text in all {
                complain(text);
            }
        }
        [problem] => {
            complain(problem);
            complain("The configuration has a problem.");
        }
        all => {
            for (number, problem) in (1..).zip(all) {
                complain(&format!("{number}. {problem}"));
            }
            complain(&format!("The configuration has {} problems.", all.len()));
        }
    }
}

fn print(text: &str, priority: Priority) {
    let text = if journal::is_standard_error() {
        marked(text, priority)
    } else {
        format!("{text}\n")
    };
    let _ = io::stderr().write_all(text.as_bytes()); // there is nowhere else to say it
}

/// Each line with its priority in front, as the journal reads it.
fn marked(text: &str, priority: Priority) -> String {
    text.lines().fold(String::new(), |all, line| {
        format!("{all}<{}>{line}\n", priority as u8)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_its_priority() {
        assert_eq!(marked("a\nb", Priority::Error), "<3>a\n<3>b\n");
        assert_eq!(marked("c", Priority::Warning), "<4>c\n");
    }
}
