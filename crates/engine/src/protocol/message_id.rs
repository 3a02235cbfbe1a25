//! The identity of a message through all its attempts.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The identity of a summary. No two are composed in the same nanosecond with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MessageId {
    /// When the summary was composed.
    pub at: Timestamp,
    /// Its number.
    pub id: u64,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "labwatch.{}.{}", self.at.as_nanosecond(), self.id)
    }
}
