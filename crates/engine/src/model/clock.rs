//! Times as text, the same in mails and on the page.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A time of day in UTC, with the date where it is not today's: `00:41 UTC`, `21 Nov 00:41 UTC`.
pub fn spell_time(time: Timestamp, now: Timestamp) -> String {
    spell_time_in(time, now, &TimeZone::UTC)
}

/// A time of day by the clocks of a zone, with its abbreviation, and with the date where it is not
/// today's there: `21 Nov 00:41 GMT`.
pub fn spell_time_in(time: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (time, now) = (time.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    let (date, today) = (time.date(), now.date());
    let format = if date == today {
        "%H:%M %Z"
    } else if date.year() == today.year() {
        "%-d %b %H:%M %Z"
    } else {
        "%-d %b %Y %H:%M %Z"
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

    #[test]
    fn a_zone_has_its_own_days_and_names_its_hour() {
        let at = |text: &str| text.parse().expect("a time");
        let zone = TimeZone::posix("GMT0BST,M3.5.0/1,M10.5.0").expect("a zone");
        for (time, said) in [
            ("2027-03-28T00:30:00Z", "28 Mar 00:30 GMT"),
            ("2027-03-28T23:30:00Z", "00:30 BST"),
            ("2027-03-29T07:54:00Z", "08:54 BST"),
        ] {
            assert_eq!(
                spell_time_in(at(time), at("2027-03-29T00:29:55Z"), &zone),
                said
            );
        }
    }
}
