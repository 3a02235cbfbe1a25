//! The last word about an experiment that is not watched any more although recipients were told that it is bad.

use crate::model::{Health, Moment, Stub};
use crate::notifications::route_notifier::Heard;
use crate::protocol::summary::AlertLine;

/// What is still to be said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closing {
    /// The health that was told last.
    health: Health,
    since: Moment,
    pub(super) ended: Moment,
}

impl Closing {
    pub(super) fn of(heard: &Heard, now: Moment) -> Self {
        Self {
            health: heard.known.health,
            since: heard.bad_since.unwrap_or(now),
            ended: now,
        }
    }

    /// What a message says.
    pub(super) fn line(&self, stub: &Stub) -> AlertLine {
        AlertLine {
            alert: None,
            text: format!(
                "{stub} is not watched any more: book does not list it, and it was not seen for a day; last known as {}",
                self.health
            ),
            since: self.since.wall(),
            ended: Some(self.ended.since(self.since)),
            new: true,
        }
    }
}
