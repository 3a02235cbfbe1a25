//! Failure of a command, and its exit code.

use std::process::ExitCode;

use crate::config::Problems;

/// Failure of a command.
#[derive(Debug)]
pub enum Failure {
    /// The configuration is wrong.
    Configuration(Problems),
    /// The arguments are wrong. Holds a sentence.
    Usage(String),
    /// It failed. Holds a sentence.
    Failed(String),
    /// Another labwatch is running already. Holds a sentence.
    Occupied(String),
    /// The queried labwatch is not ok, which is printed already.
    NotOk,
    /// The queried labwatch does not answer. Holds a sentence.
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

    /// The errors, each in a sentence.
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
