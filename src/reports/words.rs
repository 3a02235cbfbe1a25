//! The numbers of a report in readable form. `–` stands for an unknown one.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

use super::report::{Report, Restore, Row};

/// The placeholder for a number that is not known.
pub(super) const NOTHING: &str = "–";

/// How much must have been booked and evaluated for a rate by booked hours to mean something, in
/// minutes.
const ENOUGH_BOOKED_MINUTES: f64 = 600.0;

/// The columns of a readable table, besides the name.
pub const COLUMNS: [&str; 8] = [
    "available",
    "while booked",
    "not usable",
    "unknown",
    "labwatch off",
    "failures",
    "mean time to restore",
    "student time lost",
];

/// The cells of the columns.
#[must_use]
pub fn cells(row: &Row) -> [String; 8] {
    let minutes = &row.minutes;
    [
        percent(row.availability),
        percent(row.booked_availability),
        time(Some(minutes.down + minutes.flapping)),
        time(Some(minutes.unknown)),
        time(Some(minutes.own_downtime)),
        row.failures.to_string(),
        time(row.minutes_to_restore),
        time(Some(row.student_minutes_lost)),
    ]
}

/// The key numbers for a head of teaching, each with its name.
#[must_use]
pub fn key_numbers(report: &Report) -> [(&'static str, String); 6] {
    let total = &report.total;
    [
        ("available", percent(total.availability)),
        ("available while booked", percent(total.booked_availability)),
        (
            "sessions spoiled",
            format!("{} of {}", total.sessions_spoiled, total.sessions),
        ),
        ("student time lost", time(Some(total.student_minutes_lost))),
        ("failures", total.failures.to_string()),
        ("mean time to restore", time(total.minutes_to_restore)),
    ]
}

/// The summary, in sentences.
#[must_use]
pub fn sentences(report: &Report) -> Vec<String> {
    let total = &report.total;
    let failures = count(total.failures, "failure");
    let restored = total.minutes_to_restore.map_or(String::new(), |minutes| {
        format!(
            "; after one, an experiment was usable again in {} on average",
            time(Some(minutes))
        )
    });
    vec![
        format!(
            "Available {} of all evaluated time, and {} of what was booked.",
            percent(total.availability),
            percent(total.booked_availability)
        ),
        format!("{failures}{restored}."),
        booked(total),
        format!(
            "{} of {} spoiled; {} of students' time lost.",
            total.sessions_spoiled,
            count(total.sessions, "session"),
            time(Some(total.student_minutes_lost))
        ),
        format!(
            "labwatch withdrew experiments {}, {} of these needlessly as it turned out; {} could not be started although the experiment was found usable.",
            count(total.withdrawals, "time"),
            total.withdrawals_regretted,
            count(total.bookings_missed, "booking")
        ),
        format!(
            "Not counted: {} unknown, {} maintenance, {} in which labwatch was off.",
            time(Some(total.minutes.unknown)),
            time(Some(total.minutes.maintenance)),
            time(Some(total.minutes.own_downtime))
        ),
    ]
}

/// The failures of bookings, where enough was booked for a rate.
fn booked(total: &Row) -> String {
    let minutes = &total.booked_minutes;
    let evaluated = minutes.ok + minutes.degraded + minutes.flapping + minutes.down;
    match total.failures_per_100_booked_hours {
        Some(number) if evaluated >= ENOUGH_BOOKED_MINUTES => {
            format!("{number:.1} failures for each 100 booked hours.")
        }
        _ => format!(
            "{} booked: too little for a rate of failures for each 100 booked hours.",
            time(Some(evaluated))
        ),
    }
}

/// A number with its noun.
pub(super) fn count(number: u32, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// How long it usually takes until an experiment can be used again.
#[must_use]
pub fn restore(restore: &Restore) -> String {
    let Restore { cause, cases, .. } = restore;
    match restore.median_minutes.zip(restore.p80_minutes) {
        Some((median, p80)) => {
            format!(
                "{cause}: half of {cases} within {}, four of five within {}",
                time(Some(median)),
                time(Some(p80))
            )
        }
        None => format!("{cause}: {cases} seen, too few for a statistic"),
    }
}

/// What it is called.
pub(super) fn title(report: &Report) -> String {
    format!("Availability of the laboratory in {}", report.period)
}

/// When it was made, and its time, in its zone.
#[must_use]
pub fn about(report: &Report) -> String {
    let zone = TimeZone::get(&report.zone).unwrap_or(TimeZone::UTC);
    let at = |time: Timestamp| time.to_zoned(zone.clone());
    let (from, until) = (at(report.from), at(report.until));
    let is_midnight = |time: &Zoned| time.time() == jiff::civil::Time::midnight();
    let (format, until) = if is_midnight(&from) && is_midnight(&until) {
        let last = report.until - SignedDuration::from_secs(1);
        ("%-d %B %Y", at(last))
    } else {
        ("%-d %B %Y %H:%M", until)
    };
    format!(
        "{} to {}, by the clocks of {}; made {}.",
        from.strftime(format),
        until.strftime(format),
        zone.iana_name().unwrap_or("UTC"),
        at(report.made).strftime("%-d %B %Y %H:%M")
    )
}

/// A share as a percentage that never rounds up to 100 %.
pub(super) fn percent(share: Option<f64>) -> String {
    let Some(share) = share else {
        return NOTHING.to_owned();
    };
    let floored = (share * 1_000.0).floor() / 10.0;
    format!("{floored:.1} %")
}

/// Minutes in readable form: `42 s`, `7 min`, `5.2 h`, `3.1 d`.
pub(super) fn time(minutes: Option<f64>) -> String {
    match minutes {
        None => NOTHING.to_owned(),
        Some(0.0) => "0 min".to_owned(),
        Some(minutes) if minutes < 1.0 => format!("{:.0} s", minutes * 60.0),
        Some(minutes) if minutes < 120.0 => format!("{minutes:.0} min"),
        Some(minutes) if minutes < 48.0 * 60.0 => format!("{:.1} h", minutes / 60.0),
        Some(minutes) => format!("{:.1} d", minutes / 1_440.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn almost_all_is_not_all() {
        for (share, expect) in [
            (Some(1.0), "100.0 %"),
            (Some(0.999_999_9), "99.9 %"),
            (Some(0.5), "50.0 %"),
            (Some(0.0), "0.0 %"),
            (None, "–"),
        ] {
            assert_eq!(percent(share), expect);
        }
    }

    #[test]
    fn times_are_in_readable_units() {
        for (minutes, expect) in [
            (0.0, "0 min"),
            (0.5, "30 s"),
            (7.0, "7 min"),
            (119.0, "119 min"),
            (312.0, "5.2 h"),
            (4_464.0, "3.1 d"),
            (13_389.0 * 60.0, "557.9 d"),
        ] {
            assert_eq!(time(Some(minutes)), expect);
        }
        assert_eq!(time(None), NOTHING);
    }
}
