//! Closing notifications: the last message about an experiment that is no longer watched although
//! it was notified as bad.

use crate::model::{Moment, Stub};
use crate::notifications::route_notifier::{LastNotified, RouteNotifier};
use crate::protocol::{AlertLine, Closing, Notified};

impl Closing {
    pub(super) fn of(last: &LastNotified, now: Moment) -> Self {
        Self {
            last_notified: Some(last.said.clone()),
            health: last.said.known.health,
            since: last.bad_since.unwrap_or(now).wall(),
            ended: now.wall(),
        }
    }

    /// The line of a message.
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
            experiment: Some((stub.clone(), self.health)),
        }
    }
}

impl RouteNotifier {
    /// Handles an experiment that is watched again before its closing notification was delivered:
    /// that one is dropped, and what was notified before holds. Where it may have arrived all the
    /// same, the experiment's state is notified anew. Returns the records to keep.
    pub(super) fn reopen(&mut self, stub: &Stub, now: Moment) -> Vec<Notified> {
        let Some(closing) = self.closing.remove(stub) else {
            return Vec::new();
        };
        let mut kept = vec![Notified::Closing(stub.clone(), None)];
        let may_be_notified = {
            let mut open = self.delivery.open();
            open.any(|message| message.closings.contains(stub))
        };
        if may_be_notified {
            let since = now.back_at(closing.since);
            self.unconfirmed.insert(stub.clone(), since);
            self.worst.insert(stub.clone(), closing.health);
        } else if let Some(last) = closing.last_notified {
            let known = LastNotified::recall(last.clone(), now);
            self.notified.insert(stub.clone(), known);
            kept.push(Notified::Experiment(stub.clone(), Some(last)));
        }
        kept
    }
}
