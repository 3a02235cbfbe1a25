//! Why a command did not end well, and the exit code that says so.

use std::process::ExitCode;

use crate::config::Problems;

/// Why a command did not end well.
#[derive(Debug)]
pub enum Failure {
    /// The configuration is wrong.
    Configuration(Problems),
    /// The arguments do not go together. Holds a sentence.
    Usage(String),
    /// It was tried and failed. Holds a sentence.
    Failed(String),
    /// Another labwatch does it already. Holds a sentence.
    Occupied(String),
    /// What was asked is not ok, and that is said already.
    NotOk,
    /// What was to be asked does not answer. Holds a sentence.
    Unreachable(String),
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Configuration(problems)
    }
}

impl Failure {
    pub(super) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Failed(_) | Self::NotOk => ExitCode::from(1),
            Self::Configuration(_) | Self::Usage(_) | Self::Unreachable(_) => ExitCode::from(2),
            Self::Occupied(_) => ExitCode::from(3),
        }
    }

    /// What is wrong, each in a sentence.
    pub(super) fn problems(&self) -> Vec<String> {
        match self {
            Self::Configuration(problems) => problems.0.iter().map(ToString::to_string).collect(),
            Self::Usage(text)
            | Self::Failed(text)
            | Self::Occupied(text)
            | Self::Unreachable(text) => vec![text.clone()],
            Self::NotOk => Vec::new(),
        }
    }
}
