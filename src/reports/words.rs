//! Numbers of a report as people read them. `–` stands for what is not known.

use super::sheet::{Report, Restore, Row};

/// What stands for a number that there is not.
pub(super) const NOTHING: &str = "–";

/// The columns of a table for people, besides the name.
pub const COLUMNS: [&str; 8] = [
    "available",
    "booked",
    "down",
    "unknown",
    "own downtime",
    "failures",
    "to restore",
    "student time lost",
];

/// What stands in the columns.
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

/// What is said about everything, in sentences.
#[must_use]
pub fn sentences(report: &Report) -> Vec<String> {
    let total = &report.total;
    let between = total
        .hours_between_failures
        .map_or(NOTHING.to_owned(), |hours| time(Some(hours * 60.0)));
    let per_100 = total
        .failures_per_100_booked_hours
        .map_or(NOTHING.to_owned(), |number| format!("{number:.2}"));
    vec![
        format!(
            "Available {} of all judged time, and {} of what was booked.",
            percent(total.availability),
            percent(total.booked_availability)
        ),
        format!(
            "{} failures; usable time for each {between}; {} to restore; {per_100} for each 100 booked hours.",
            total.failures,
            time(total.minutes_to_restore)
        ),
        format!(
            "{} of {} sessions spoiled; {} of students' time lost.",
            total.sessions_spoiled,
            total.sessions,
            time(Some(total.student_minutes_lost))
        ),
        format!(
            "Withdrawn {} times, regretted {}; {} bookings could not be started although we found the experiment usable.",
            total.withdrawals, total.withdrawals_regretted, total.bookings_missed
        ),
        format!(
            "Not counted: {} unknown, {} maintenance, {} own downtime.",
            time(Some(total.minutes.unknown)),
            time(Some(total.minutes.maintenance)),
            time(Some(total.minutes.own_downtime))
        ),
    ]
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
        None => format!("{cause}: {cases} seen, too few to tell"),
    }
}

/// When it was made, and what it is about.
#[must_use]
pub fn about(report: &Report) -> String {
    let Report {
        from,
        until,
        zone,
        made,
        ..
    } = report;
    format!("From {from:.0} until {until:.0}, by the clocks of {zone}; made {made:.0}.")
}

/// A share as a percentage that never rounds up to all.
pub(super) fn percent(share: Option<f64>) -> String {
    let Some(share) = share else {
        return NOTHING.to_owned();
    };
    let floored = (share * 100_000.0).floor() / 1_000.0;
    format!("{floored:.3} %")
}

/// Minutes as people say them: `42 s`, `7 min`, `5.2 h`, `3.1 d`.
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
            (Some(1.0), "100.000 %"),
            (Some(0.999_999_9), "99.999 %"),
            (Some(0.5), "50.000 %"),
            (Some(0.0), "0.000 %"),
            (None, "–"),
        ] {
            assert_eq!(percent(share), expect);
        }
    }

    #[test]
    fn times_are_as_people_say_them() {
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
