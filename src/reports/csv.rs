//! A report as CSV (RFC 4180), for spreadsheets: one line for each row, and one for the total.
//! Every text is quoted, and one that a spreadsheet would take for a formula gets an apostrophe.

use std::iter::once;

use super::report::{By, Report, Row};

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
    let names = columns(&Row::default()).map(|(name, _)| name.to_owned());
    line(&mut text, once(by.as_str().to_owned()).chain(names));
    for row in report.rows(by).iter().chain([&report.total]) {
        let values = columns(row).map(|(_, value)| value);
        line(&mut text, once(cell(&row.name)).chain(values));
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

/// The columns behind the name: what each is called, and what stands in it.
fn columns(row: &Row) -> [(&'static str, String); 27] {
    let (all, booked) = (&row.minutes, &row.booked_minutes);
    let percent = |share: Option<f64>| number(share.map(|share| share * 100.0), 4);
    let minutes = |minutes: f64| number(Some(minutes), 2);
    let per_100_booked_hours = number(row.failures_per_100_booked_hours, 3);
    [
        ("experiments", row.experiments.to_string()),
        ("availability_percent", percent(row.availability)),
        (
            "booked_availability_percent",
            percent(row.booked_availability),
        ),
        ("ok_minutes", minutes(all.ok)),
        ("degraded_minutes", minutes(all.degraded)),
        ("flapping_minutes", minutes(all.flapping)),
        ("down_minutes", minutes(all.down)),
        ("unknown_minutes", minutes(all.unknown)),
        ("maintenance_minutes", minutes(all.maintenance)),
        ("own_downtime_minutes", minutes(all.own_downtime)),
        ("booked_ok_minutes", minutes(booked.ok)),
        ("booked_degraded_minutes", minutes(booked.degraded)),
        ("booked_flapping_minutes", minutes(booked.flapping)),
        ("booked_down_minutes", minutes(booked.down)),
        ("booked_unknown_minutes", minutes(booked.unknown)),
        ("booked_maintenance_minutes", minutes(booked.maintenance)),
        ("booked_own_downtime_minutes", minutes(booked.own_downtime)),
        ("failures", row.failures.to_string()),
        (
            "hours_between_failures",
            number(row.hours_between_failures, 2),
        ),
        ("minutes_to_restore", number(row.minutes_to_restore, 2)),
        ("failures_per_100_booked_hours", per_100_booked_hours),
        ("sessions", row.sessions.to_string()),
        ("sessions_spoiled", row.sessions_spoiled.to_string()),
        ("student_minutes_lost", minutes(row.student_minutes_lost)),
        ("withdrawals", row.withdrawals.to_string()),
        (
            "withdrawals_regretted",
            row.withdrawals_regretted.to_string(),
        ),
        ("bookings_missed", row.bookings_missed.to_string()),
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
