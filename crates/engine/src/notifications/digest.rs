//! When a digest is due: once on each day of a time zone, right where the clocks change, and not
//! long after its time.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

/// A digest that could not be sent in time is sent if it is less than this late.
const LATE_AT_MOST: SignedDuration = SignedDuration::from_hours(2);

/// A next digest that is further away than this, or a last one that lies further ahead, comes from
/// a clock that was wrong.
const FAR: SignedDuration = SignedDuration::from_hours(3 * 24);

/// How many days are looked at for the next digest: some zones left out a day when they changed
/// sides.
const DAYS: i64 = 5;

/// When recipients get a digest.
#[derive(Debug, Clone, PartialEq)]
pub struct Digest {
    /// At which time of the day. Where the clocks jump over it, it is as much later; where it
    /// comes twice, the first one counts.
    pub at: Time,
    /// By the clocks of this zone.
    pub zone: TimeZone,
    /// Whether a digest is sent also when there is nothing to report, with one line that all is
    /// well.
    pub when_well: bool,
}

impl Digest {
    /// The next digest that is not too late at `now`, on a later day than the last one.
    fn next(&self, last: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        let earliest = now.checked_sub(LATE_AT_MOST).ok()?;
        let last_day = last
            .filter(|last| last.duration_since(now) < FAR)
            .map(|last| self.day(last));
        let first = self.day(earliest);
        let days = (0..DAYS).filter_map(|days| first.checked_add(Span::new().days(days)).ok());
        days.filter_map(|day| self.on(day))
            .find(|at| *at > earliest && last_day.is_none_or(|last| self.day(*at) > last))
    }

    fn day(&self, at: Timestamp) -> Date {
        at.to_zoned(self.zone.clone()).date()
    }

    fn on(&self, day: Date) -> Option<Timestamp> {
        day.to_datetime(self.at)
            .to_zoned(self.zone.clone())
            .ok()
            .map(|zoned| zoned.timestamp())
    }
}

/// The digests of one route.
#[derive(Debug, Clone)]
pub(super) struct Digests {
    digest: Digest,
    /// When the last one was due, not when its summary was composed.
    pub(super) last: Option<Timestamp>,
    next: Option<Timestamp>,
}

impl Digests {
    /// Digests for recipients who have just been added: they get none for a time of today that is
    /// over.
    pub(super) fn new(digest: Digest, now: Timestamp) -> Self {
        let next = digest.next(None, now);
        let mut digests = Self {
            digest,
            last: next.filter(|at| *at <= now),
            next,
        };
        digests.plan(now);
        digests
    }

    /// Restores when the last one was due. Without any, one of today that is not too late is still
    /// sent.
    pub(super) fn recall(&mut self, last: Option<Timestamp>, now: Timestamp) {
        self.last = last;
        self.plan(now);
    }

    pub(super) fn when_well(&self) -> bool {
        self.digest.when_well
    }

    /// The time of the digest that is to be sent now.
    pub(super) fn due(&mut self, now: Timestamp) -> Option<Timestamp> {
        let next = self.next?;
        if next.duration_since(now) > FAR || now.duration_since(next) >= LATE_AT_MOST {
            self.plan(now);
        }
        self.next.filter(|at| *at <= now)
    }

    /// When the next one is to be sent.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// Marks the digest of this time as sent, or as having nothing to report.
    pub(super) fn done(&mut self, at: Timestamp, now: Timestamp) {
        self.last = Some(at);
        self.plan(now);
    }

    fn plan(&mut self, now: Timestamp) {
        self.next = self.digest.next(self.last, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    /// London's rule, and one of a zone whose clocks jump over the very time of the digest.
    fn digest(at: &str, zone: &str) -> Digest {
        Digest {
            at: at.parse().expect("a time of day"),
            zone: TimeZone::posix(zone).expect("a zone"),
            when_well: false,
        }
    }

    const LONDON: &str = "GMT0BST,M3.5.0/1,M10.5.0";

    #[test]
    fn it_keeps_its_time_of_day_when_the_clocks_change() {
        let mut digests = Digests::new(digest("07:00", LONDON), time("2026-03-28T12:00:00Z"));
        let mut times = Vec::new();
        for _ in 0..2 {
            let next = digests.next().expect("one more");
            times.push(next.to_string());
            digests.done(next, next);
        }
        assert_eq!(times, ["2026-03-29T06:00:00Z", "2026-03-30T06:00:00Z"]);
        let autumn = Digests::new(digest("07:00", LONDON), time("2026-10-24T12:00:00Z"));
        assert_eq!(autumn.next(), Some(time("2026-10-25T07:00:00Z")));
    }

    #[test]
    fn a_time_that_the_clocks_jump_over_or_show_twice_comes_once() {
        for (day, expected) in [
            ("2026-03-29T00:00:00Z", "2026-03-29T01:30:00Z"),
            ("2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),
        ] {
            let mut digests = Digests::new(digest("01:30", LONDON), time(day));
            assert_eq!(digests.next(), Some(time(expected)), "{day}");
            digests.done(time(expected), time(expected));
            let next = digests.next().expect("one more");
            assert!(
                next.duration_since(time(expected)) > SignedDuration::from_hours(22),
                "{next}"
            );
        }
    }

    #[test]
    fn a_missed_one_is_sent_unless_it_is_too_late() {
        let yesterday = Some(time("2026-01-09T07:00:00Z"));
        for (now, due) in [
            ("06:59:59", false),
            ("07:00:00", true),
            ("08:59:59", true),
            ("09:00:00", false),
        ] {
            let now = time(&format!("2026-01-10T{now}Z"));
            let mut digests = Digests::new(digest("07:00", LONDON), time("2026-01-09T07:30:00Z"));
            digests.recall(yesterday, now);
            assert_eq!(digests.due(now).is_some(), due, "{now}");
        }
        let after_midnight = time("2026-01-10T00:30:00Z");
        let mut late = Digests::new(digest("23:30", LONDON), time("2026-01-09T12:00:00Z"));
        assert_eq!(late.due(after_midnight), Some(time("2026-01-09T23:30:00Z")));
    }

    #[test]
    fn there_are_never_two_on_one_day() {
        let today = time("2026-01-10T07:00:00Z");
        let now = time("2026-01-10T07:10:00Z");
        let mut digests = Digests::new(digest("07:00", LONDON), now);
        assert_eq!(digests.due(now), None, "a new recipient has missed nothing");
        digests.recall(Some(today), now);
        assert_eq!(
            (digests.due(now), digests.next()),
            (None, Some(time("2026-01-11T07:00:00Z")))
        );
        let mut moved = Digests::new(digest("09:00", LONDON), now);
        moved.recall(Some(today), now);
        assert_eq!(
            moved.next(),
            Some(time("2026-01-11T09:00:00Z")),
            "another time of day is for tomorrow"
        );
    }

    #[test]
    fn a_clock_that_was_wrong_does_not_stop_them() {
        let (wrong, right) = (time("2036-01-10T06:00:00Z"), time("2026-01-10T06:00:00Z"));
        let mut digests = Digests::new(digest("07:00", LONDON), wrong);
        digests.done(time("2036-01-10T07:00:00Z"), wrong);
        assert_eq!(digests.due(right), None);
        assert_eq!(digests.next(), Some(time("2026-01-10T07:00:00Z")));
    }
}
