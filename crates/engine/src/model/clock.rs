//! A time as people read it, the same in mails and on the page.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A time of day in UTC, with the date where it is not today's: `00:41 UTC`, `21 Nov 00:41 UTC`.
#[must_use]
pub fn spell_time(time: Timestamp, now: Timestamp) -> String {
    let (date, today) = (
        time.to_zoned(TimeZone::UTC).date(),
        now.to_zoned(TimeZone::UTC).date(),
    );
    let format = if date == today {
        "%H:%M UTC"
    } else if date.year() == today.year() {
        "%-d %b %H:%M UTC"
    } else {
        "%-d %b %Y %H:%M UTC"
    };
    time.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_stands_before_the_time_where_it_is_not_todays() {
        let at = |text: &str| text.parse().expect("a time");
        for (time, said) in [
            ("2026-11-21T00:00:00Z", "00:00 UTC"),
            ("2026-11-22T00:41:59Z", "22 Nov 00:41 UTC"),
            ("2026-01-02T23:59:00Z", "2 Jan 23:59 UTC"),
            ("2025-12-31T23:59:00Z", "31 Dec 2025 23:59 UTC"),
        ] {
            assert_eq!(spell_time(at(time), at("2026-11-21T08:04:12Z")), said);
        }
    }
}
