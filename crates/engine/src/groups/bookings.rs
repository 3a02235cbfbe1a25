//! The bookings of a timetable, found fast by resource. Has no names of students.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use serde::{Deserialize, Serialize};

use crate::model::{ResourceName, earliest};
use crate::protocol::Timetable;

/// The time ahead that counts as the next day.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The time ahead that counts as the next week.
pub(crate) const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The bookings of every resource.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calendar {
    by_resource: BTreeMap<ResourceName, Vec<Entry>>,
}

/// A booking in the list of its resource, which is sorted by start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    booking: Upcoming,
    /// The latest end of this booking and of those before it: makes the ended ones findable by
    /// binary search.
    all_end: Timestamp,
}

/// The bookings that are affected by a fault: under way, or still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Affected {
    /// How many are under way or start within 24 h.
    pub next_day: usize,
    /// How many are under way or start within 7 d; those of the next day among them.
    pub next_week: usize,
    /// When the first of all of them starts, however far ahead that is; in the past when it is
    /// under way.
    pub first_start: Option<Timestamp>,
    /// Whether one is under way that its user has started.
    pub in_session: bool,
}

/// A booking of an experiment, without its student.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Upcoming {
    /// When it starts.
    pub start: Timestamp,
    /// When it ends.
    pub end: Timestamp,
    /// Whether its user has started it.
    pub started: bool,
}

impl Calendar {
    /// The bookings of this timetable.
    pub fn of(timetable: &Timetable) -> Self {
        let mut by_resource: BTreeMap<ResourceName, Vec<Entry>> = BTreeMap::new();
        let bookings = timetable.bookings.iter();
        for booking in bookings.filter(|booking| booking.start < booking.end) {
            let (start, end, started) = (booking.start, booking.end, booking.started);
            let entry = Entry {
                booking: Upcoming {
                    start,
                    end,
                    started,
                },
                all_end: end,
            };
            let entries = by_resource.entry(booking.resource.clone()).or_default();
            entries.push(entry);
        }
        for entries in by_resource.values_mut() {
            arrange(entries);
        }
        Self { by_resource }
    }

    /// The affected bookings of an experiment, given its resources in book.
    pub fn affected(&self, resources: &[ResourceName], now: Timestamp) -> Affected {
        let (day, week) = (ahead(now, DAY), ahead(now, WEEK));
        let mut affected = Affected::default();
        let standing = |resource| self.standing(resource, now);
        for entry in resources.iter().flat_map(standing) {
            affected.first_start = earliest([affected.first_start, Some(entry.start)]);
            if entry.start >= week {
                continue;
            }
            affected.next_week += 1;
            affected.next_day += usize::from(entry.start < day);
            affected.in_session |= entry.started && entry.start <= now;
        }
        affected
    }

    /// The bookings on an experiment that are under way or start within 24 h, in the order of their
    /// starts.
    pub fn next_day(&self, resources: &[ResourceName], now: Timestamp) -> Vec<Upcoming> {
        let day = ahead(now, DAY);
        let of_one = |resource| {
            self.standing(resource, now)
                .take_while(move |entry| entry.start < day)
        };
        let mut all: Vec<Upcoming> = resources.iter().flat_map(of_one).copied().collect();
        all.sort_unstable();
        all
    }

    /// When time alone changes next what [`Calendar::affected`] returns; `None` when it does not.
    pub fn next_change<'a>(
        &self,
        resources: impl IntoIterator<Item = &'a ResourceName>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let week = ahead(now, WEEK);
        let of_one = |resource: &ResourceName| {
            let mut next: Option<Timestamp> = None;
            for entry in self.standing(resource, now) {
                // What starts in exactly a day is not within it yet, and is a moment later.
                let turns = [
                    just_after(before(entry.start, WEEK)),
                    just_after(before(entry.start, DAY)),
                    entry.start,
                    entry.end,
                ];
                next = turns.into_iter().chain(next).filter(|at| *at > now).min();
                if entry.start >= week {
                    break;
                }
            }
            next
        };
        resources.into_iter().filter_map(of_one).min()
    }

    /// The intervals within `[from, until)` for which a resource is booked, in the order of their
    /// starts.
    pub(crate) fn stretches(
        &self,
        resource: &ResourceName,
        from: Timestamp,
        until: Timestamp,
    ) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let standing = self.standing(resource, from);
        standing
            .take_while(move |entry| entry.start < until)
            .map(move |entry| (entry.start.max(from), entry.end.min(until)))
    }

    /// The bookings of a resource that have not ended, in the order of their starts.
    fn standing(&self, resource: &ResourceName, now: Timestamp) -> impl Iterator<Item = &Upcoming> {
        let entries = self
            .by_resource
            .get(resource)
            .map_or(&[][..], Vec::as_slice);
        let first = entries.partition_point(|entry| entry.all_end <= now);
        let bookings = entries.iter().skip(first).map(|entry| &entry.booking);
        bookings.filter(move |booking| booking.end > now)
    }
}

/// The moment this far ahead; the calendar's end where there is none.
pub(crate) fn ahead(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// The moment this long before; the calendar's beginning where there is none.
fn before(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

fn just_after(at: Timestamp) -> Timestamp {
    at.checked_add(SignedDuration::from_nanos(1)).unwrap_or(at)
}

fn arrange(entries: &mut [Entry]) {
    entries.sort_by_key(|entry| (entry.booking.start, entry.booking.end));
    let mut latest = Timestamp::MIN;
    for entry in entries {
        latest = latest.max(entry.booking.end);
        entry.all_end = latest;
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::protocol::{Booking, Slot};

    pub(crate) const HOUR: i64 = 3_600;

    pub(crate) fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    pub(crate) fn resource(name: &str) -> ResourceName {
        ResourceName::try_new(name).expect("a name")
    }

    /// A timetable of slots (resource, policy, UI set) and bookings (resource, start, end,
    /// started), in seconds.
    pub(crate) fn timetable(
        slots: &[(&str, &str, &str)],
        bookings: &[(&str, i64, i64, bool)],
    ) -> Timetable {
        let slot = |(name, policy, ui_set): &(&str, &str, &str)| Slot {
            resource: resource(name),
            policy: (*policy).to_owned(),
            ui_set: (*ui_set).to_owned(),
        };
        let booking = |(name, start, end, started): &(&str, i64, i64, bool)| Booking {
            start: at(*start),
            end: at(*end),
            resource: resource(name),
            started: *started,
            unfulfilled: false,
        };
        let (slots, bookings) = (
            slots.iter().map(slot).collect(),
            bookings.iter().map(booking).collect(),
        );
        Timetable {
            slots,
            bookings,
            pages: Vec::new(),
            slots_read: Some(at(0)),
            bookings_read: Some(at(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::testing::{HOUR, at, resource, timetable};
    use super::*;

    fn check(
        bookings: &[(&str, i64, i64, bool)],
        now: i64,
        expected: (usize, usize, Option<i64>, bool),
    ) {
        let calendar = Calendar::of(&timetable(&[], bookings));
        let affected = calendar.affected(&[resource("r-a"), resource("r-b")], at(now));
        let (next_day, next_week, first_start, in_session) = expected;
        assert_eq!(
            affected,
            Affected {
                next_day,
                next_week,
                first_start: first_start.map(at),
                in_session
            },
            "{bookings:?} at {now}"
        );
    }

    #[test]
    fn what_stands_in_need_is_counted() {
        const DAY: i64 = 24 * HOUR;
        check(&[], 0, (0, 0, None, false));
        check(&[("r-c", 10, 20, false)], 0, (0, 0, None, false));
        check(&[("r-a", 10, 20, true)], 9, (1, 1, Some(10), false));
        check(&[("r-a", 10, 20, true)], 10, (1, 1, Some(10), true));
        check(&[("r-a", 10, 20, false)], 10, (1, 1, Some(10), false));
        check(&[("r-a", 10, 20, true)], 19, (1, 1, Some(10), true));
        check(&[("r-a", 10, 20, true)], 20, (0, 0, None, false));
        check(
            &[
                ("r-a", DAY - 1, 2 * DAY, false),
                ("r-b", DAY, 2 * DAY, false),
            ],
            0,
            (1, 2, Some(DAY - 1), false),
        );
        check(
            &[("r-b", 7 * DAY, 8 * DAY, false)],
            0,
            (0, 0, Some(7 * DAY), false),
        );
        check(
            &[
                ("r-a", 30, 40, false),
                ("r-b", 5, 40, true),
                ("r-a", 0, 35, false),
            ],
            10,
            (3, 3, Some(0), true),
        );
        check(
            &[("r-a", 20, 20, false), ("r-a", 20, 10, false)],
            0,
            (0, 0, None, false),
        );
    }

    #[test]
    fn the_next_day_is_listed_by_start() {
        const DAY: i64 = 24 * HOUR;
        let rows = [
            ("r-b", 5, 40, true),
            ("r-a", 30, 40, false),
            ("r-a", 0, 9, true),
            ("r-a", 10 + DAY, 20 + DAY, false),
            ("r-c", 12, 13, false),
        ];
        let found = Calendar::of(&timetable(&[], &rows))
            .next_day(&[resource("r-a"), resource("r-b")], at(10));
        let found: Vec<_> = found
            .into_iter()
            .map(|of| (of.start, of.end, of.started))
            .collect();
        assert_eq!(found, [(at(5), at(40), true), (at(30), at(40), false)]);
    }

    #[test]
    fn the_end_of_the_calendar_is_no_harm() {
        let calendar = Calendar::of(&timetable(&[], &[("r-a", 10, 20, true)]));
        assert_eq!(
            calendar.affected(&[resource("r-a")], Timestamp::MAX),
            Affected::default()
        );
        assert_eq!(
            calendar
                .affected(&[resource("r-a")], Timestamp::MIN)
                .next_week,
            0
        );
    }

    proptest! {
        /// Compares with a linear search over every booking, overlapping ones and empty ones too.
        #[test]
        fn finding_fast_finds_the_same(
            bookings in prop::collection::vec((0..2_usize, 0..400_i64, -2..60_i64, any::<bool>()), 0..60),
            now in 0..450_i64,
        ) {
            let names = ["r-a", "r-b"];
            let rows: Vec<_> = bookings.iter().map(|(name, start, len, started)| (names[*name], start * HOUR, (start + len) * HOUR, *started)).collect();
            let now = now * HOUR;
            let standing: Vec<_> = rows.iter().filter(|(_, start, end, _)| start < end && *end > now).collect();
            let within = |hours: i64| standing.iter().filter(|(_, start, ..)| *start < now + hours * HOUR).count();
            let expected = Affected {
                next_day: within(24),
                next_week: within(7 * 24),
                first_start: standing.iter().map(|(_, start, ..)| at(*start)).min(),
                in_session: standing.iter().any(|(_, start, _, started)| *started && *start <= now),
            };
            let calendar = Calendar::of(&timetable(&[], &rows));
            prop_assert_eq!(calendar.affected(&[resource("r-a"), resource("r-b")], at(now)), expected);
        }

        /// Until the returned moment nothing changes, and from then on something may.
        #[test]
        fn nothing_changes_before_its_time(
            bookings in prop::collection::vec((0..2_usize, 0..400_i64, 1..60_i64, any::<bool>()), 0..30),
            now in 0..450_i64,
        ) {
            let names = ["r-a", "r-b"];
            let rows: Vec<_> = bookings.iter().map(|(name, start, len, started)| (names[*name], start * HOUR, (start + len) * HOUR, *started)).collect();
            let (calendar, resources) = (Calendar::of(&timetable(&[], &rows)), [resource("r-a"), resource("r-b")]);
            let said = calendar.affected(&resources, at(now * HOUR));
            let until = calendar.next_change(&resources, at(now * HOUR)).unwrap_or(at(1_000 * HOUR));
            prop_assert!(until > at(now * HOUR));
            for hour in (now..1_000).take_while(|hour| at(hour * HOUR) < until) {
                prop_assert_eq!(calendar.affected(&resources, at(hour * HOUR)), said, "{}", hour);
            }
        }
    }
}
