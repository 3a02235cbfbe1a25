//! The last word about an experiment that is not watched any more although recipients were told that it is bad.

use crate::model::{Moment, Stub};
use crate::notifications::route_notifier::Heard;
use crate::protocol::notified::Closing;
use crate::protocol::summary::AlertLine;

impl Closing {
    pub(super) fn of(heard: &Heard, now: Moment) -> Self {
        Self {
            health: heard.known.health,
            since: heard.bad_since.unwrap_or(now).wall(),
            ended: now.wall(),
        }
    }

    /// What a message says.
    pub(super) fn line(&self, stub: &Stub) -> AlertLine {
        let lasted = self.ended.duration_since(self.since);
        AlertLine {
            alert: None,
            text: format!(
                "{stub} is not watched any more: book does not list it, and it was not seen for a day; last known as {}",
                self.health
            ),
            since: self.since,
            ended: Some(lasted.try_into().unwrap_or_default()),
            new: true,
        }
    }
}
