//! Pending news of an experiment, and from when on they may be sent: a report of its other source
//! is waited for.

use std::time::Duration;

use crate::model::Moment;

/// Relay and jump, each asked every five seconds, see the same power cut that far apart, and one
/// message should report it. News without an effect on students wait for that time; others only for
/// a source that has not reported since.
pub(super) const PARTS_FOLLOW_WITHIN: Duration = Duration::from_secs(6);

/// Pending news of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pending {
    /// From when on they may be sent.
    pub(super) from: Moment,
    /// Where the experiment became usable or unusable: since when that is known. Its other source
    /// may have more to report.
    pub(super) changed: Option<Moment>,
}

impl Pending {
    /// News that may be sent at once.
    pub(super) fn now(now: Moment) -> Self {
        Self {
            from: now,
            changed: None,
        }
    }

    /// A loss or a return.
    pub(super) fn of_change(now: Moment) -> Self {
        Self {
            from: now,
            changed: Some(now),
        }
    }

    /// News that may be sent from this time on.
    pub(super) fn from(from: Moment) -> Self {
        Self {
            from,
            changed: None,
        }
    }

    /// Merges further news.
    pub(super) fn add(&mut self, other: Self) {
        self.from = self.from.min(other.from);
        self.changed = self.changed.or(other.changed);
    }

    /// From when on they are sent, where the last source whose report counts has reported at
    /// `reported`. `is_leaving`: jump's newest report lacks it, and does not count yet.
    pub(super) fn ready(&self, reported: Option<Moment>, is_leaving: bool) -> Moment {
        match self.changed {
            Some(changed) if is_leaving || reported.is_some_and(|at| at < changed) => {
                self.from.max(changed + PARTS_FOLLOW_WITHIN)
            }
            _ => self.from,
        }
    }
}
