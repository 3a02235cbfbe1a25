//! Why an attempt to write failed.

use super::file::{self, OpenFault};

/// Why an attempt to write failed.
pub(super) struct Failure {
    pub(super) why: String,
    pub(super) broken: bool,
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self {
            why: error.to_string(),
            broken: file::is_broken(&error),
        }
    }
}

pub(super) fn words(fault: OpenFault) -> String {
    match fault {
        OpenFault::Fatal(error) => error.to_string(),
        OpenFault::Disk(why) => why,
    }
}
