//! The time of a report: a month, or from one time to another, by the calendar of a time zone. Only
//! arithmetic.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use super::timeline::Span;

/// The most days of one report: a year of any length with its months, and a margin.
pub const MAX_DAYS: i64 = 400;

const DAY_SECONDS: i64 = 86_400;

/// The time of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    name: String,
    zone: String,
    from: Timestamp,
    until: Timestamp,
    months: Vec<(String, Span)>,
}

/// Why a text is no period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// It is not a month; holds the text.
    #[error("{0:?} is not a month; write it as 2026-10")]
    Month(String),
    /// It is neither a date nor a time; holds the text.
    #[error("{0:?} is neither a date nor a time; write it as 2026-10-01 or 2026-10-01T08:00:00Z")]
    Moment(String),
    /// It ends before it begins.
    #[error("the time ends before it begins")]
    Order,
    /// It is longer than [`MAX_DAYS`].
    #[error("the time is longer than {max_days} days: ask for a shorter one", max_days = MAX_DAYS)]
    TooLong,
    /// It has not begun yet.
    #[error("the time has not begun yet")]
    Ahead,
}

impl Period {
    /// A month, written `2026-10`, from its first midnight to the next month's in `zone`.
    ///
    /// # Errors
    /// [`PeriodError`] when it is not a month, or has not begun at `now`.
    pub fn month(text: &str, zone: &TimeZone, now: Timestamp) -> Result<Self, PeriodError> {
        let wrong = || PeriodError::Month(text.to_owned());
        let (year, month) = text
            .split_once('-')
            .filter(|(year, month)| year.len() == 4 && month.len() == 2)
            .ok_or_else(wrong)?;
        let number = |digits: &str| {
            digits
                .bytes()
                .all(|byte| byte.is_ascii_digit())
                .then(|| digits.parse().ok())
                .flatten()
        };
        let first = number(year)
            .zip(number(month))
            .and_then(|(year, month)| Date::new(year, i8::try_from(month).ok()?, 1).ok());
        let first = first.ok_or_else(wrong)?;
        let next = first.checked_add(1.month()).map_err(|_| wrong())?;
        let (from, until) = (
            midnight(first, zone).ok_or_else(wrong)?,
            midnight(next, zone).ok_or_else(wrong)?,
        );
        Self::new(text.to_owned(), (from, until), zone, now)
    }

    /// From one time to another: dates, which begin at midnight in `zone`, or times with an offset.
    /// The last is exclusive.
    ///
    /// # Errors
    /// [`PeriodError`].
    pub fn between(
        from: &str,
        until: &str,
        zone: &TimeZone,
        now: Timestamp,
    ) -> Result<Self, PeriodError> {
        let ends = (moment(from, zone)?, moment(until, zone)?);
        Self::new(format!("{from} to {until}"), ends, zone, now)
    }

    /// The last complete month at `now`.
    ///
    /// # Errors
    /// [`PeriodError`] where the calendar ends.
    pub fn last_month(zone: &TimeZone, now: Timestamp) -> Result<Self, PeriodError> {
        let this = Zoned::new(now, zone.clone()).date().first_of_month();
        let last = this
            .checked_sub(1.month())
            .map_err(|_| PeriodError::Ahead)?;
        Self::month(&last.strftime("%Y-%m").to_string(), zone, now)
    }

    /// The month in which `now` is.
    ///
    /// # Errors
    /// [`PeriodError`] where the calendar ends.
    pub fn this_month(zone: &TimeZone, now: Timestamp) -> Result<Self, PeriodError> {
        let this = Zoned::new(now, zone.clone()).date();
        Self::month(&this.strftime("%Y-%m").to_string(), zone, now)
    }

    fn new(
        name: String,
        (from, until): (Timestamp, Timestamp),
        zone: &TimeZone,
        now: Timestamp,
    ) -> Result<Self, PeriodError> {
        if from >= until {
            return Err(PeriodError::Order);
        }
        if until.as_second().saturating_sub(from.as_second()) > MAX_DAYS * DAY_SECONDS {
            return Err(PeriodError::TooLong);
        }
        if from > now {
            return Err(PeriodError::Ahead);
        }
        let zone_name = zone.iana_name().unwrap_or("UTC").to_owned();
        Ok(Self {
            name,
            zone: zone_name,
            from,
            until,
            months: months(from, until, zone),
        })
    }

    /// Its name: `2026-10`, `2026-10-01 to 2026-10-08`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of its time zone.
    #[must_use]
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// The start.
    #[must_use]
    pub fn from(&self) -> Timestamp {
        self.from
    }

    /// The end, exclusive.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// Its months, or the parts of months that are in it, each with its name.
    pub(super) fn months(&self) -> &[(String, Span)] {
        &self.months
    }

    pub(super) fn span(&self) -> Span {
        Span::new(self.from, self.until)
    }
}

fn months(from: Timestamp, until: Timestamp, zone: &TimeZone) -> Vec<(String, Span)> {
    let mut months = Vec::new();
    let mut begin = from;
    while begin < until {
        let first = Zoned::new(begin, zone.clone()).date().first_of_month();
        let next = first
            .checked_add(1.month())
            .ok()
            .and_then(|next| midnight(next, zone))
            .filter(|next| *next > begin);
        let end = next.map_or(until, |next| next.min(until));
        months.push((first.strftime("%Y-%m").to_string(), Span::new(begin, end)));
        begin = end;
    }
    months
}

fn moment(text: &str, zone: &TimeZone) -> Result<Timestamp, PeriodError> {
    let date = || {
        text.parse::<Date>()
            .ok()
            .filter(|_| text.len() == "2026-10-01".len())
            .and_then(|date| midnight(date, zone))
    };
    date()
        .or_else(|| text.parse().ok())
        .ok_or_else(|| PeriodError::Moment(text.to_owned()))
}

/// The first moment of a date. Where clocks skip midnight, it is the moment at which they jump.
fn midnight(date: Date, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_zoned(date.at(0, 0, 0, 0))
        .ok()?
        .start_of_day()
        .ok()
        .map(|midnight| midnight.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).expect("tzdata is there")
    }

    fn now() -> Timestamp {
        "2030-01-01T00:00:00Z".parse().expect("a time")
    }

    /// Checks the number of hours of a month in a zone.
    fn check_hours(month: &str, name: &str, hours: i64) {
        check(month, name, hours * 60);
    }

    fn check(month: &str, name: &str, minutes: i64) {
        let period = Period::month(month, &zone(name), now()).expect("a month");
        assert_eq!(
            period.span().length(),
            minutes * 60_000,
            "{month} in {name}"
        );
        assert_eq!(period.months(), [(month.to_owned(), period.span())]);
        assert_eq!((period.name(), period.zone()), (month, name));
    }

    #[test]
    fn months_are_as_long_as_their_clocks_say() {
        check_hours("2026-10", "Europe/London", 31 * 24 + 1);
        check_hours("2026-03", "Europe/London", 31 * 24 - 1);
        check_hours("2026-10", "UTC", 31 * 24);
        check_hours("2026-02", "UTC", 28 * 24);
        check_hours("2028-02", "UTC", 29 * 24);
        check("2026-04", "Australia/Lord_Howe", 30 * 24 * 60 + 30);
        check_hours("2018-11", "America/Sao_Paulo", 30 * 24 - 1);
    }

    #[test]
    fn parts_of_months_meet_without_a_hole() {
        let period = Period::between(
            "2025-12-15",
            "2026-11-02T12:00:00Z",
            &zone("Europe/London"),
            now(),
        )
        .expect("a period");
        let months = period.months();
        assert_eq!(months.len(), 12);
        assert_eq!(
            months.iter().map(|(_, span)| span.length()).sum::<i64>(),
            period.span().length()
        );
        assert!(
            months
                .windows(2)
                .all(|pair| matches!(pair, [(_, a), (_, b)] if a.until == b.from))
        );
        assert_eq!(
            months.first().map(|(name, _)| name.as_str()),
            Some("2025-12")
        );
        assert_eq!(
            months.last().map(|(name, _)| name.as_str()),
            Some("2026-11")
        );
    }

    #[test]
    fn what_is_no_period_is_said() {
        let zone = zone("UTC");
        for text in [
            "",
            "2026",
            "2026-13",
            "2026-1",
            "26-10",
            "2026-00",
            "2026-10-01",
            "+026-10",
            "2026-+1",
            "9999-99",
        ] {
            assert_eq!(
                Period::month(text, &zone, now()),
                Err(PeriodError::Month(text.to_owned())),
                "{text}"
            );
        }
        let between = |from, until| Period::between(from, until, &zone, now()).err();
        assert_eq!(
            between("2026-10-02", "2026-10-01"),
            Some(PeriodError::Order)
        );
        assert_eq!(
            between("2026-10-01", "2026-10-01"),
            Some(PeriodError::Order)
        );
        assert_eq!(
            between("2024-10-01", "2026-10-01"),
            Some(PeriodError::TooLong)
        );
        assert_eq!(
            between("2030-01-02", "2030-01-03"),
            Some(PeriodError::Ahead)
        );
        assert_eq!(
            between("soon", "2026-10-01"),
            Some(PeriodError::Moment("soon".to_owned()))
        );
        assert_eq!(between("2026-10-01", "2026-10-01T08:00:00+02:00"), None);
        assert_eq!(
            Period::month("2030-02", &zone, now()),
            Err(PeriodError::Ahead)
        );
    }

    #[test]
    fn the_last_month_is_the_one_that_is_over() {
        let at = |text: &str| {
            Period::last_month(&zone("Europe/London"), text.parse().expect("a time"))
                .map(|period| period.name().to_owned())
        };
        assert_eq!(at("2026-11-01T00:00:00Z").as_deref(), Ok("2026-10"));
        assert_eq!(
            at("2026-09-30T23:30:00Z").as_deref(),
            Ok("2026-09"),
            "it is October in London"
        );
        assert_eq!(at("2026-01-31T12:00:00Z").as_deref(), Ok("2025-12"));
    }
}
