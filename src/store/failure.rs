//! Why an attempt to write failed.

use super::file::{self, OpenFault};
use super::statement::WriteFault;

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

impl From<WriteFault> for Failure {
    fn from(fault: WriteFault) -> Self {
        match fault {
            WriteFault::Disk(error) => error.into(),
            WriteFault::Refused(_) => Self {
                why: fault.to_string(),
                broken: false,
            },
        }
    }
}

impl From<OpenFault> for Failure {
    fn from(fault: OpenFault) -> Self {
        Self {
            why: match fault {
                OpenFault::Fatal(error) => error.to_string(),
                OpenFault::Disk(why) => why,
            },
            broken: false,
        }
    }
}
