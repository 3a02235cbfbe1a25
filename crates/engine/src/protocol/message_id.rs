//! What tells a message from every other, through all its attempts.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What tells a summary from every other. No two are put together in the same nanosecond with the
/// same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MessageId {
    /// When the summary was put together.
    pub at: Timestamp,
    /// Its number.
    pub id: u64,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "labwatch.{}.{}", self.at.as_nanosecond(), self.id)
    }
}
