//! The month whose report is due: that of the previous month, from six in the morning on the first
//! of a month in a time zone.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

/// The hour of the first day of a month from which the report of the previous month is due.
const HOUR: i8 = 6;

/// The newest month whose report is due at `now`, as `2026-10`; `None` where the calendar ends.
#[must_use]
pub fn month_due(now: Timestamp, zone: &TimeZone) -> Option<String> {
    let local = Zoned::new(now, zone.clone());
    let is_early = local.day() == 1 && local.hour() < HOUR;
    let months = if is_early { 2 } else { 1 };
    let month = local
        .date()
        .first_of_month()
        .checked_sub(months.months())
        .ok()?;
    Some(month.strftime("%Y-%m").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(now: &str, expect: &str) {
        let zone = TimeZone::get("Europe/London").expect("tzdata");
        assert_eq!(
            month_due(now.parse().expect("a time"), &zone).as_deref(),
            Some(expect),
            "{now}"
        );
    }

    #[test]
    fn it_is_due_on_the_first_at_six() {
        check("2026-11-01T05:59:59Z", "2026-09");
        check("2026-11-01T06:00:00Z", "2026-10");
        check("2026-11-30T23:59:59Z", "2026-10");
        check("2026-07-01T04:59:59Z", "2026-05");
        check("2026-07-01T05:00:00Z", "2026-06");
        check("2026-06-30T23:30:00Z", "2026-05");
        check("2027-01-01T12:00:00Z", "2026-12");
        check("2027-01-01T03:00:00Z", "2026-11");
    }
}
