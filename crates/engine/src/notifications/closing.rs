//! The last word about an experiment that is not watched any more although recipients were told
//! that it is bad.

use crate::model::{Moment, Stub};
use crate::notifications::route_notifier::{Heard, RouteNotifier};
use crate::protocol::{AlertLine, Closing, Notified};

impl Closing {
    pub(super) fn of(heard: &Heard, now: Moment) -> Self {
        Self {
            heard: Some(heard.said.clone()),
            health: heard.said.known.health,
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
            experiment: Some((stub.clone(), self.health)),
        }
    }
}

impl RouteNotifier {
    /// An experiment is watched again before it was told that it is not: that is of no use any
    /// more, and what was told of it before holds. Where a message may have told it all the
    /// same, it is told anew how the experiment is. Returns what is to be kept of that.
    pub(super) fn reopen(&mut self, stub: &Stub, now: Moment) -> Vec<Notified> {
        let Some(closing) = self.closing.remove(stub) else {
            return Vec::new();
        };
        let mut kept = vec![Notified::Closing(stub.clone(), None)];
        let may_be_told = {
            let mut open = self.delivery.open();
            open.any(|message| message.closings.contains(stub))
        };
        if may_be_told {
            let since = now.back_at(closing.since);
            self.unconfirmed.insert(stub.clone(), since);
            self.worst.insert(stub.clone(), closing.health);
        } else if let Some(heard) = closing.heard {
            let known = Heard::recall(heard.clone(), now);
            self.notified.insert(stub.clone(), known);
            kept.push(Notified::Experiment(stub.clone(), Some(heard)));
        }
        kept
    }
}
