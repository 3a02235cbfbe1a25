//! Connections to a source that end again and again. Each is replaced at once, so the source never
//! counts as down; but when it is restarted each time, experiments and students lose their
//! connections too.

use std::collections::VecDeque;
use std::time::Duration;

use super::Source;
use crate::model::Moment;

/// How many connections that brought reports must have ended to be reported as a problem.
pub(crate) const OFTEN: usize = 5;

/// Within which time.
pub(crate) const WITHIN: Duration = Duration::from_secs(600);

/// The ends of connections that brought reports.
#[derive(Debug, Clone, Default)]
pub(super) struct Interruptions {
    /// The latest, at most [`OFTEN`].
    latest: VecDeque<Moment>,
    /// Since when they have come often.
    since: Option<Moment>,
}

impl Interruptions {
    /// Notes that a connection has ended.
    pub(super) fn note(&mut self, now: Moment) {
        self.latest.truncate(OFTEN - 1);
        self.latest.push_front(now);
        if self.latest.len() == OFTEN {
            self.since = self.since.or(self.latest.back().copied());
        }
    }

    /// Forgets what ended too long ago.
    pub(super) fn forget(&mut self, now: Moment) {
        self.latest.retain(|at| now.since(*at) < WITHIN);
        if self.latest.len() < OFTEN {
            self.since = None;
        }
    }

    /// When they no longer come often, if no other one comes.
    pub(super) fn end_at(&self) -> Option<Moment> {
        let first = self.latest.back().filter(|_| self.since.is_some())?;
        Some(*first + WITHIN)
    }
}

impl Source {
    /// Since when the connection has been lost again and again.
    pub(crate) fn lost_often_since(&self) -> Option<Moment> {
        self.interruptions.since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_ends_within_ten_minutes_are_often() {
        let at = |second| Moment::new(jiff::Timestamp::UNIX_EPOCH, Duration::from_secs(second));
        let mut interruptions = Interruptions::default();
        let rows = [
            // an end at this second → since when they come often, and until when
            (0, None, None),
            (200, None, None),
            (400, None, None),
            (500, None, None),
            (601, None, None),
            (790, Some(200), Some(800)),
            (795, Some(200), Some(1_000)),
            (1_001, Some(200), Some(1_100)),
            (1_700, None, None),
        ];
        for (second, since, until) in rows {
            interruptions.note(at(second));
            interruptions.forget(at(second));
            let shown = (interruptions.since, interruptions.end_at());
            assert_eq!(shown, (since.map(at), until.map(at)), "{second}");
        }
    }
}
