//! Gaps of the history: times in which nothing was recorded.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

/// How often a heartbeat is recorded.
pub const HEARTBEAT: Duration = Duration::from_secs(60);

/// Two heartbeats that are further apart than this have a gap between them.
const GAP_AFTER: SignedDuration = SignedDuration::from_secs(120);

/// A gap: a time in which nothing was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Its beginning.
    pub since: Timestamp,
    /// Its end.
    pub until: Timestamp,
    /// Its cause.
    pub why: GapCause,
}

impl Gap {
    /// The part of it that is past: a gap in the future was noted by a clock that was wrong. `None`
    /// when all of it is.
    pub(super) fn up_to(self, now: Timestamp) -> Option<Self> {
        (self.since < now).then(|| Self {
            until: self.until.min(now),
            ..self
        })
    }
}

/// Why nothing was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GapCause {
    /// labwatch did not run, or its machine slept.
    Off,
    /// The disk accepted nothing for so long that entries were lost.
    Lost,
}

impl GapCause {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Lost => "lost",
        }
    }
}

/// The gap between two heartbeats, if there is one. A clock that was set back leaves none.
pub(super) fn gap_between(since: Timestamp, until: Timestamp) -> Option<Gap> {
    (until.duration_since(since) > GAP_AFTER).then_some(Gap {
        since,
        until,
        why: GapCause::Off,
    })
}
