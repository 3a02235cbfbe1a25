//! When a source is asked for a report, and when a connection that brings none is given up.

use std::time::Duration;

use super::{RECONNECT_AFTER, RECONNECT_AT_MOST, Source};
use crate::model::Moment;
use crate::protocol::Link;

impl Source {
    /// Whether to ask it for a report now: nothing came for `every` on an open connection.
    pub(crate) fn ask_due(&mut self, every: Duration, now: Moment) -> bool {
        let due = self.ask_at(every).is_some_and(|at| now >= at);
        if due {
            self.asked = Some(now);
        }
        due
    }

    /// Notes that it is asked for a report now, out of turn.
    pub(crate) fn note_asked(&mut self, now: Moment) {
        self.asked = Some(now);
    }

    pub(super) fn ask_at(&self, every: Duration) -> Option<Moment> {
        let latest = [self.last, self.asked, Some(self.link_since)];
        let latest = latest.into_iter().max().flatten();
        latest
            .filter(|_| self.link == Link::Open)
            .map(|at| at + every)
    }

    /// Whether a connection that is open but reports nothing is to be given up now.
    pub(crate) fn reconnect_due(&mut self, now: Moment) -> bool {
        let due = self.link == Link::Open && self.reconnect_at.is_some_and(|at| now >= at);
        if due {
            self.reconnects = self.reconnects.saturating_add(1);
            self.reconnect_at = Some(now + self.reconnect_wait());
            self.asked = Some(now);
        }
        due
    }

    pub(super) fn reconnect_wait(&self) -> Duration {
        (RECONNECT_AFTER * 2_u32.saturating_pow(self.reconnects.saturating_sub(1).min(8)))
            .min(RECONNECT_AT_MOST)
    }

    /// A connection that brings data is only given up when that stops too.
    pub(super) fn first_reconnect(&self, now: Moment) -> Moment {
        if self.unreadable.is_some() {
            now + RECONNECT_AFTER
        } else {
            now
        }
    }
}
