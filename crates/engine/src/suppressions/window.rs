//! When a maintenance window is open: once, or every week by the calendar of a time zone. Only
//! arithmetic: the time comes in.
//!
//! A weekly window has a start by the clock on the wall and a length in elapsed time. A night's
//! work of 4 h is 4 h long in every night; across a change of the clocks it ends an hour earlier or
//! later by the clock. Where the clocks skip the start, it begins at the instant they jump; where
//! they show it twice, it begins once, at the first. It belongs to the day on which it begins: a
//! window of Monday 23:00 for 4 h is open on Tuesday at 02:00 and not on Monday at 02:00, by the
//! clock of its own zone.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use crate::model::words::words;
use crate::model::{format_duration, parse_duration, spell_duration};

/// The longest that a weekly window may be open.
pub const MAX_WEEKLY: Duration = Duration::from_secs(7 * 86_400);

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// When a maintenance window is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// One time.
    Once {
        /// From this instant on.
        from: Timestamp,
        /// Up to this instant, which is not part of it.
        until: Timestamp,
    },
    /// Every week.
    Weekly(Weekly),
}

/// A window that opens every week on some days. See the top of this file for what happens when the
/// clocks change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WeeklyText", into = "WeeklyText")]
pub struct Weekly {
    days: BTreeSet<Day>,
    starts: Time,
    lasts: Duration,
    zone: TimeZone,
    zone_name: String,
}

/// A weekly window as it is written down.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WeeklyText {
    days: BTreeSet<Day>,
    starts: Time,
    lasts: String,
    zone: String,
}

/// Why a weekly window is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// No day is named.
    #[error("a weekly window needs at least one day: mon, tue, wed, thu, fri, sat or sun")]
    NoDays,
    /// The length is zero or more than [`MAX_WEEKLY`], or the text is not a duration; holds what is
    /// wrong.
    #[error("the length of a weekly window is not right, {0}: write for example 2h, at most 7d")]
    Length(String),
    /// The system's time zone database does not know this zone.
    #[error(
        "the time zone \"{0}\" is not known here: write an IANA name such as Europe/London, and check that tzdata is installed"
    )]
    Zone(String),
}

/// One time that a window is open: from an instant up to another, which is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence {
    /// From this instant on.
    pub from: Timestamp,
    /// Up to this instant.
    pub until: Timestamp,
}

impl Schedule {
    /// The window that is open at `at` or opens next; of windows that overlap, the first. `None`
    /// when it is over for good.
    pub fn next_occurrence(&self, at: Timestamp) -> Option<Occurrence> {
        self.near(at).into_iter().find(|one| at < one.until)
    }

    /// The last window that has closed before or at `at`; `None` when none has.
    pub fn last_occurrence(&self, at: Timestamp) -> Option<Occurrence> {
        let mut near = self.near(at).into_iter();
        near.rfind(|one| one.until <= at)
    }

    /// The end of the window that is open at `at`; `None` when none is. Of windows that overlap,
    /// the latest end.
    pub fn open_until(&self, at: Timestamp) -> Option<Timestamp> {
        let near = self.near(at).into_iter();
        let open = near.filter(|one| one.from <= at && at < one.until);
        open.map(|one| one.until).max()
    }

    /// When a window opens or closes next, strictly after `at`.
    pub fn next_change(&self, at: Timestamp) -> Option<Timestamp> {
        let near = self.near(at).into_iter();
        let changes = near.flat_map(|one| [one.from, one.until]);
        changes.filter(|instant| *instant > at).min()
    }

    /// The last window before `at`, those that may be open then, the next one, and others around
    /// them, in order.
    fn near(&self, at: Timestamp) -> Vec<Occurrence> {
        match self {
            Self::Once { from, until } => vec![Occurrence {
                from: *from,
                until: *until,
            }],
            Self::Weekly(weekly) => weekly.near(at).collect(),
        }
    }

    /// When it is over for good; `None` for weekly windows.
    pub fn over_at(&self) -> Option<Timestamp> {
        match self {
            Self::Once { until, .. } => Some(*until),
            Self::Weekly(_) => None,
        }
    }
}

impl fmt::Display for Schedule {
    /// The schedule as text: `every mon, tue at 23:00 for 4 h (Europe/London)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once { from, until } => write!(f, "from {from} until {until}"),
            Self::Weekly(weekly) => weekly.fmt(f),
        }
    }
}

impl fmt::Display for Weekly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days: Vec<&str> = self.days.iter().map(|day| day.as_str()).collect();
        let starts = self.starts.strftime("%H:%M");
        write!(
            f,
            "every {} at {starts} for {} ({})",
            days.join(", "),
            spell_duration(self.lasts),
            self.zone_name
        )
    }
}

words!(Day { Mon => "mon", Tue => "tue", Wed => "wed", Thu => "thu", Fri => "fri", Sat => "sat", Sun => "sun" });

impl Weekly {
    /// A window that opens on `days` at `starts` by the clock of `zone` (an IANA name such as
    /// `Europe/London`) and closes `lasts` later.
    ///
    /// # Errors
    /// `ScheduleError` when no day is named, the length is zero or more than `MAX_WEEKLY`, or
    /// the system does not know the zone.
    pub fn try_new(
        days: BTreeSet<Day>,
        starts: Time,
        lasts: Duration,
        zone: &str,
    ) -> Result<Self, ScheduleError> {
        if days.is_empty() {
            return Err(ScheduleError::NoDays);
        }
        if lasts.is_zero() || lasts > MAX_WEEKLY {
            return Err(ScheduleError::Length(format!(
                "it is {}",
                format_duration(lasts)
            )));
        }
        let unknown = || ScheduleError::Zone(zone.to_owned());
        let found = TimeZone::get(zone)
            .ok()
            .filter(|found| !found.is_unknown())
            .ok_or_else(unknown)?;
        Ok(Self {
            days,
            starts,
            lasts,
            zone: found,
            zone_name: zone.to_owned(),
        })
    }

    /// The days on which it opens, in the order of the week.
    pub fn days(&self) -> impl Iterator<Item = Day> {
        self.days.iter().copied()
    }

    /// When it opens, by the clock of its zone.
    pub fn starts(&self) -> Time {
        self.starts
    }

    /// How long it is open.
    pub fn lasts(&self) -> Duration {
        self.lasts
    }

    /// The IANA name of its zone.
    pub fn zone_name(&self) -> &str {
        &self.zone_name
    }

    /// The windows of the last week, those that may be open at `at`, and those of the next, in
    /// order.
    fn near(&self, at: Timestamp) -> impl Iterator<Item = Occurrence> {
        // one day more on both sides, because a change of the clocks may move a start to the next
        // day
        let days_before = i64::try_from(self.lasts.as_secs() / 86_400)
            .unwrap_or(i64::MAX)
            .saturating_add(9);
        let today = self.zone.to_datetime(at).date();
        (-days_before..=8)
            .filter_map(move |days| self.window_of(today.checked_add(days.days()).ok()?))
    }

    /// The window that belongs to a date, if that is one of its days.
    fn window_of(&self, date: Date) -> Option<Occurrence> {
        if !self.days.contains(&Day::from(date.weekday())) {
            return None;
        }
        let from = self.begin_on(date)?;
        let lasts = SignedDuration::try_from(self.lasts).ok()?;
        let end = self.zone.to_datetime(from).checked_add(lasts).ok()?;
        let until = self.zone.to_timestamp(end).ok()?;
        Some(Occurrence { from, until })
    }

    /// When the clock shows the start on a date: the first time where it does so twice; where the
    /// clocks skip it, as much later as they jump. So it is for the end, for single dates and
    /// for digests.
    fn begin_on(&self, date: Date) -> Option<Timestamp> {
        let starts = date.to_datetime(self.starts);
        self.zone.to_timestamp(starts).ok()
    }
}

impl From<Weekday> for Day {
    fn from(day: Weekday) -> Self {
        match day {
            Weekday::Monday => Self::Mon,
            Weekday::Tuesday => Self::Tue,
            Weekday::Wednesday => Self::Wed,
            Weekday::Thursday => Self::Thu,
            Weekday::Friday => Self::Fri,
            Weekday::Saturday => Self::Sat,
            Weekday::Sunday => Self::Sun,
        }
    }
}

impl TryFrom<WeeklyText> for Weekly {
    type Error = ScheduleError;

    fn try_from(text: WeeklyText) -> Result<Self, ScheduleError> {
        let lasts = parse_duration(&text.lasts)
            .map_err(|error| ScheduleError::Length(error.to_string()))?;
        Self::try_new(text.days, text.starts, lasts, &text.zone)
    }
}

impl From<Weekly> for WeeklyText {
    fn from(weekly: Weekly) -> Self {
        Self {
            days: weekly.days,
            starts: weekly.starts,
            lasts: format_duration(weekly.lasts),
            zone: weekly.zone_name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAYS: [Day; 7] = [
        Day::Mon,
        Day::Tue,
        Day::Wed,
        Day::Thu,
        Day::Fri,
        Day::Sat,
        Day::Sun,
    ];

    fn ts(text: &str) -> Timestamp {
        text.parse().expect(text)
    }

    /// `mon,tue 23:00 4h Europe/London`; `*` for every day.
    fn weekly(text: &str) -> Schedule {
        let [days, starts, lasts, zone] = text.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{text}")
        };
        let days = if days == "*" {
            "mon,tue,wed,thu,fri,sat,sun"
        } else {
            days
        };
        let days: Vec<&str> = days.split(',').collect();
        let json = serde_json::json!({"weekly": {"days": days, "starts": starts, "lasts": lasts, "zone": zone}});
        serde_json::from_value(json).expect(text)
    }

    /// The first windows that open or close after an instant, as a caller finds them who wakes at
    /// each change.
    fn check(schedule: &str, after: &str, expected: &[(&str, &str)]) {
        let schedule = weekly(schedule);
        let mut at = ts(after);
        for (begin, end) in expected {
            at = schedule.next_change(at).expect("opens");
            assert_eq!(
                (at, schedule.open_until(at)),
                (ts(begin), Some(ts(end))),
                "{schedule:?}"
            );
            assert!(
                schedule
                    .open_until(ts(end) - SignedDuration::from_nanos(1))
                    .is_some(),
                "open to the end"
            );
            at = schedule.next_change(at).expect("closes");
            assert_eq!(
                (at, schedule.open_until(at)),
                (ts(end), None),
                "{schedule:?}"
            );
        }
    }

    #[test]
    fn a_window_opens_on_its_days_by_its_own_clock() {
        check(
            "mon 09:00 2h UTC",
            "2026-11-20T00:00Z",
            &[
                ("2026-11-23T09:00Z", "2026-11-23T11:00Z"),
                ("2026-11-30T09:00Z", "2026-11-30T11:00Z"),
            ],
        );
        check(
            "mon,wed 09:00 2h Europe/London",
            "2026-07-06T10:00Z",
            &[
                ("2026-07-08T08:00Z", "2026-07-08T10:00Z"),
                ("2026-07-13T08:00Z", "2026-07-13T10:00Z"),
            ],
        );
        check(
            "mon 08:00 2h Pacific/Auckland",
            "2026-07-01T00:00Z",
            &[("2026-07-05T20:00Z", "2026-07-05T22:00Z")],
        );
        check(
            "sun 20:00 2h America/Los_Angeles",
            "2026-07-01T00:00Z",
            &[("2026-07-06T03:00Z", "2026-07-06T05:00Z")],
        );
    }

    #[test]
    fn a_window_across_midnight_belongs_to_the_day_it_begins_on() {
        check(
            "mon 23:00 4h Europe/London",
            "2026-01-05T00:00Z",
            &[
                ("2026-01-05T23:00Z", "2026-01-06T03:00Z"),
                ("2026-01-12T23:00Z", "2026-01-13T03:00Z"),
            ],
        );
        check(
            "fri 18:00 62h Europe/London",
            "2026-01-06T00:00Z",
            &[("2026-01-09T18:00Z", "2026-01-12T08:00Z")],
        );
        let monday = weekly("mon 23:00 4h Europe/London");
        for (at, open) in [
            ("2026-01-05T02:00Z", false),
            ("2026-01-06T02:00Z", true),
            ("2026-01-06T23:30Z", false),
        ] {
            assert_eq!(monday.open_until(ts(at)).is_some(), open, "{at}");
        }
    }

    #[test]
    fn when_the_clocks_go_forward_the_wall_clock_start_is_kept() {
        let derived = [
            ("2026-03-28T09:00Z", "2026-03-28T10:00Z"),
            ("2026-03-29T08:00Z", "2026-03-29T09:00Z"),
            ("2026-03-30T08:00Z", "2026-03-30T09:00Z"),
        ];
        check("* 09:00 1h Europe/London", "2026-03-28T00:00Z", &derived);
    }

    #[test]
    fn a_start_that_the_clocks_skip_is_as_much_later() {
        let skipped = [
            ("2026-03-28T01:30Z", "2026-03-28T02:30Z"),
            ("2026-03-29T01:30Z", "2026-03-29T02:30Z"),
            ("2026-03-30T00:30Z", "2026-03-30T01:30Z"),
        ];
        check("* 01:30 1h Europe/London", "2026-03-28T00:00Z", &skipped);
        check(
            "sun 01:00 1h Europe/London",
            "2026-03-28T00:00Z",
            &[("2026-03-29T01:00Z", "2026-03-29T02:00Z")],
        );
        check(
            "sun 02:15 1h Australia/Lord_Howe",
            "2026-10-01T00:00Z",
            &[("2026-10-03T15:45Z", "2026-10-03T16:45Z")],
        );
        check(
            "fri 10:00 1h Pacific/Apia",
            "2011-12-28T00:00Z",
            &[("2011-12-30T20:00Z", "2011-12-30T21:00Z")],
        );
    }

    #[test]
    fn a_start_that_the_clocks_show_twice_begins_once() {
        let twice = [
            ("2026-10-24T00:30Z", "2026-10-24T00:45Z"),
            ("2026-10-25T00:30Z", "2026-10-25T00:45Z"),
            ("2026-10-26T01:30Z", "2026-10-26T01:45Z"),
        ];
        check("* 01:30 15m Europe/London", "2026-10-24T00:00Z", &twice);
        check(
            "sun 02:00 1h Europe/London",
            "2026-10-24T00:00Z",
            &[("2026-10-25T02:00Z", "2026-10-25T03:00Z")],
        );
        check(
            "sun 01:45 15m Australia/Lord_Howe",
            "2026-04-01T00:00Z",
            &[("2026-04-04T14:45Z", "2026-04-04T15:30Z")],
        );
    }

    #[test]
    fn a_window_ends_by_the_clock() {
        check(
            "sat 22:00 10h Europe/London",
            "2026-03-28T00:00Z",
            &[("2026-03-28T22:00Z", "2026-03-29T07:00Z")],
        );
        check(
            "sat 22:00 10h Europe/London",
            "2026-10-24T00:00Z",
            &[("2026-10-24T21:00Z", "2026-10-25T08:00Z")],
        );
        // Its end is skipped: as much later. It comes twice: the first time.
        check(
            "sun 00:30 1h Europe/London",
            "2026-03-28T00:00Z",
            &[("2026-03-29T00:30Z", "2026-03-29T01:30Z")],
        );
        check(
            "sun 00:30 1h Europe/London",
            "2026-10-24T00:00Z",
            &[("2026-10-24T23:30Z", "2026-10-25T00:30Z")],
        );
    }

    #[test]
    fn windows_that_touch_or_overlap_leave_no_gap() {
        for schedule in [
            "sat,sun 00:00 24h Europe/London",
            "* 22:00 30h Europe/London",
        ] {
            let schedule = weekly(schedule);
            let end = schedule
                .open_until(ts("2026-07-04T12:00Z"))
                .expect("open on a Saturday");
            assert!(schedule.open_until(end).is_some(), "{schedule:?}");
        }
    }

    #[test]
    fn one_time_is_one_time() {
        let once = Schedule::Once {
            from: ts("2026-11-21T10:00Z"),
            until: ts("2026-11-21T12:00Z"),
        };
        for (at, open, next) in [
            ("2026-11-21T09:59:59Z", false, Some("2026-11-21T10:00Z")),
            ("2026-11-21T10:00Z", true, Some("2026-11-21T12:00Z")),
            ("2026-11-21T12:00Z", false, None),
        ] {
            assert_eq!(
                (once.open_until(ts(at)).is_some(), once.next_change(ts(at))),
                (open, next.map(ts)),
                "{at}"
            );
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_to_do() {
        let make = |days: &[Day], lasts: u64, zone: &str| {
            Weekly::try_new(
                days.iter().copied().collect(),
                Time::midnight(),
                Duration::from_secs(lasts),
                zone,
            )
            .map_err(|e| e.to_string())
        };
        for (made, words) in [
            (make(&[], 60, "UTC"), "at least one day"),
            (make(&[Day::Mon], 0, "UTC"), "it is 0s"),
            (make(&[Day::Mon], 7 * 86_400 + 1, "UTC"), "at most 7d"),
            (
                make(&[Day::Mon], 60, "Europe/Atlantis"),
                "\"Europe/Atlantis\" is not known",
            ),
            (make(&[Day::Mon], 60, "Etc/Unknown"), "not known"),
            (make(&[Day::Mon], 60, ""), "IANA name"),
        ] {
            assert!(
                made.as_ref().is_err_and(|text| text.contains(words)),
                "{made:?}"
            );
        }
        let stored = r#"{"weekly":{"days":["mon"],"starts":"01:00:00","lasts":"1h","zone":"Europe/Atlantis"}}"#;
        assert!(
            serde_json::from_str::<Schedule>(stored)
                .is_err_and(|error| error.to_string().contains("Europe/Atlantis"))
        );
    }

    fn zone() -> impl Strategy<Value = &'static str> {
        let zones = [
            "UTC",
            "Europe/London",
            "America/New_York",
            "Australia/Lord_Howe",
            "Pacific/Auckland",
            "Asia/Kolkata",
            "Africa/Cairo",
        ];
        prop::sample::select(zones.to_vec())
    }

    fn any_weekly() -> impl Strategy<Value = Weekly> {
        let days = prop::collection::btree_set(prop::sample::select(DAYS.to_vec()), 1..8);
        (days, 0_i8..24, 0_i8..60, 1_u64..=7 * 86_400, zone()).prop_map(
            |(days, hour, minute, lasts, zone)| {
                Weekly::try_new(
                    days,
                    Time::constant(hour, minute, 0, 0),
                    Duration::from_secs(lasts),
                    zone,
                )
                .expect("can be")
            },
        )
    }

    fn any_instant() -> impl Strategy<Value = Timestamp> {
        let year = ts("2026-01-01T00:00Z").as_second();
        (year..year + 366 * 86_400)
            .prop_map(|second| Timestamp::from_second(second).expect("in range"))
    }

    /// The first minute at which the clock of the zone shows the start on that date, found by
    /// watching the clock; where it never does, as long after the jump as the start is after
    /// the last minute before it.
    fn begin_by_watching(weekly: &Weekly, date: Date) -> Timestamp {
        let start = date.to_datetime(weekly.starts);
        let first =
            TimeZone::UTC.to_timestamp(start).expect("in range") - SignedDuration::from_hours(16);
        let mut minutes = (0..40 * 60).map(|minute| first + SignedDuration::from_mins(minute));
        let reached = minutes
            .find(|at| weekly.zone.to_datetime(*at) >= start)
            .expect("within 40 hours");
        let minute = SignedDuration::from_mins(1);
        let before = weekly.zone.to_datetime(reached - minute);
        reached - minute + start.duration_since(before)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn a_window_begins_by_the_clock(weekly in any_weekly(), near in 0_usize..8, offset in -1_i64..2) {
            let change_days = ["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-05", "2026-10-04", "2026-04-24", "2026-06-15"];
            let date: Date = change_days[near].parse::<Date>().expect("a date").saturating_add(offset.days());
            prop_assert_eq!(weekly.begin_on(date), Some(begin_by_watching(&weekly, date)));
        }

        #[test]
        fn nothing_happens_between_changes(weekly in any_weekly(), start in any_instant(), part in 0.0_f64..1.0) {
            let schedule = Schedule::Weekly(weekly);
            let mut at = start;
            for _ in 0..30 {
                let next = schedule.next_change(at).expect("it returns");
                prop_assert!(next > at);
                let between = at + SignedDuration::from_secs_f64((next - at).total(jiff::Unit::Second).expect("exact") * part * 0.999);
                prop_assert_eq!(schedule.open_until(at), schedule.open_until(between), "{} {}", at, between);
                at = next;
            }
        }

        #[test]
        fn every_day_has_its_window_once(weekly in any_weekly(), start in any_instant()) {
            let begins: Vec<_> = weekly.near(start).map(|one| one.from).collect();
            prop_assert!(begins.is_sorted_by(|a, b| a < b));
            let week = start + SignedDuration::from_hours(24 * 7);
            let expected = weekly.days.len();
            let within = begins.iter().filter(|begin| **begin > start && **begin <= week).count();
            prop_assert!(within.abs_diff(expected) <= 1, "{} windows in a week of {} days", within, expected);
        }

        #[test]
        fn what_is_written_is_read_back(weekly in any_weekly()) {
            let schedule = Schedule::Weekly(weekly);
            let text = serde_json::to_string(&schedule).expect("written");
            prop_assert_eq!(serde_json::from_str::<Schedule>(&text).expect("read"), schedule);
        }
    }
}
