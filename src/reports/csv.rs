//! A report as CSV (RFC 4180), for spreadsheets: one line for each row, and one for the total.
//! Every text is quoted, and one that a spreadsheet would take for a formula gets an apostrophe.

use super::report::{By, Report, Row};

/// The names of the columns.
const COLUMNS: [&str; 27] = [
    "experiments",
    "availability_percent",
    "booked_availability_percent",
    "ok_minutes",
    "degraded_minutes",
    "flapping_minutes",
    "down_minutes",
    "unknown_minutes",
    "maintenance_minutes",
    "own_downtime_minutes",
    "booked_ok_minutes",
    "booked_degraded_minutes",
    "booked_flapping_minutes",
    "booked_down_minutes",
    "booked_unknown_minutes",
    "booked_maintenance_minutes",
    "booked_own_downtime_minutes",
    "failures",
    "hours_between_failures",
    "minutes_to_restore",
    "failures_per_100_booked_hours",
    "sessions",
    "sessions_spoiled",
    "student_minutes_lost",
    "withdrawals",
    "withdrawals_regretted",
    "bookings_missed",
];

/// Characters that begin a formula in a spreadsheet, or that it skips before one; the last four are
/// wide forms of the others.
const STARTS_FORMULA: [char; 10] = [
    '=', '+', '-', '@', '\t', '\r', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
];

/// Characters that may end a cell in a spreadsheet, although we separate by commas: it uses its own
/// settings.
const ENDS_CELL: [char; 6] = [',', ';', '\t', '|', '\r', '\n'];

/// The rows of one kind, followed by the total.
#[must_use]
pub fn csv(report: &Report, by: By) -> String {
    let mut text = String::new();
    line(
        &mut text,
        std::iter::once(by.as_str().to_owned()).chain(COLUMNS.map(str::to_owned)),
    );
    for row in report.rows(by).iter().chain([&report.total]) {
        line(
            &mut text,
            std::iter::once(cell(&row.name)).chain(numbers(row)),
        );
    }
    text
}

fn line(text: &mut String, cells: impl Iterator<Item = String>) {
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(&cell);
    }
    text.push_str("\r\n");
}

/// A text as a cell: always quoted, and never a formula, whatever separates cells.
fn cell(text: &str) -> String {
    let mut cell = String::from("\"");
    let mut at_start = true;
    for letter in text.chars() {
        if at_start && STARTS_FORMULA.contains(&letter) {
            cell.push('\'');
        }
        if letter == '"' {
            cell.push('"');
        }
        cell.push(letter);
        // A quotation mark can end a cell for a program that does not know that it is doubled.
        at_start =
            ENDS_CELL.contains(&letter) || (at_start && (letter.is_whitespace() || letter == '"'));
    }
    cell.push('"');
    cell
}

fn numbers(row: &Row) -> [String; 27] {
    let (all, booked) = (&row.minutes, &row.booked_minutes);
    let percent = |share: Option<f64>| number(share.map(|share| share * 100.0), 4);
    let minutes = |minutes: f64| number(Some(minutes), 2);
    [
        row.experiments.to_string(),
        percent(row.availability),
        percent(row.booked_availability),
        minutes(all.ok),
        minutes(all.degraded),
        minutes(all.flapping),
        minutes(all.down),
        minutes(all.unknown),
        minutes(all.maintenance),
        minutes(all.own_downtime),
        minutes(booked.ok),
        minutes(booked.degraded),
        minutes(booked.flapping),
        minutes(booked.down),
        minutes(booked.unknown),
        minutes(booked.maintenance),
        minutes(booked.own_downtime),
        row.failures.to_string(),
        number(row.hours_between_failures, 2),
        number(row.minutes_to_restore, 2),
        number(row.failures_per_100_booked_hours, 3),
        row.sessions.to_string(),
        row.sessions_spoiled.to_string(),
        minutes(row.student_minutes_lost),
        row.withdrawals.to_string(),
        row.withdrawals_regretted.to_string(),
        row.bookings_missed.to_string(),
    ]
}

/// A number with this many decimal places; empty if there is none.
fn number(number: Option<f64>, places: usize) -> String {
    number
        .map(|number| format!("{number:.places$}"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_only_names() {
        for (name, expect) in [
            ("pend00", "\"pend00\""),
            ("=1+1", "\"'=1+1\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\t'=1\""),
            (" =1", "\" '=1\""),
            ("a;=cmd|/C calc!A0", "\"a;'=cmd|/C calc!A0\""),
            ("a,@x", "\"a,'@x\""),
            ("\u{ff1d}1", "\"'\u{ff1d}1\""),
            ("a,b", "\"a,b\""),
            ("a-b", "\"a-b\""),
            ("a\"b", "\"a\"\"b\""),
            ("a\r\nb", "\"a\r\nb\""),
            ("=\"x\",y", "\"'=\"\"x\"\",y\""),
            ("\"=x", "\"\"\"'=x\""),
            ("pend-ü", "\"pend-ü\""),
            ("", "\"\""),
        ] {
            assert_eq!(cell(name), expect);
        }
    }
}
