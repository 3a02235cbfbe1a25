//! A report as plain text, for a terminal and for mail.

use super::report::{By, Report, Row};
use super::words;

/// The most experiments that a text lists. All of them are in the CSV.
const MAX_LISTED: usize = 200;

/// The widest name that still has its numbers on the same line.
const NAME_WIDTH: usize = 24;

/// The report as text.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut lines = vec![words::title(report), words::about(report), String::new()];
    lines.extend(words::sentences(report));
    lines.extend(table("Worst experiments", &report.worst));
    if !report.restore.is_empty() {
        lines.extend([String::new(), "Usual time to restore".to_owned()]);
        lines.extend(
            report
                .restore
                .iter()
                .map(|restore| format!("  {}", words::restore(restore))),
        );
    }
    for by in By::ALL {
        lines.extend(table(&format!("By {}", by.as_str()), report.rows(by)));
    }
    lines.extend([String::new(), "How this is counted".to_owned()]);
    lines.extend(report.rule.lines().map(|line| format!("- {line}")));
    lines
        .iter()
        .map(|line| line.trim_end())
        .collect::<Vec<_>>()
        .join("\n")
        + "\n"
}

/// The first rows, below a title; empty without rows.
fn table(title: &str, rows: &[Row]) -> Vec<String> {
    if rows.is_empty() {
        return Vec::new();
    }
    let head = [
        String::new(),
        title.to_owned(),
        line("", &words::COLUMNS.map(str::to_owned)),
    ];
    let listed = rows
        .iter()
        .take(MAX_LISTED)
        .map(|row| line(&row.name, &words::cells(row)));
    let left_out = rows
        .len()
        .checked_sub(MAX_LISTED)
        .filter(|left_out| *left_out > 0);
    let more = left_out.map(|left_out| format!("  and {left_out} more; the CSV has all"));
    head.into_iter().chain(listed).chain(more).collect()
}

fn line(name: &str, cells: &[String; 8]) -> String {
    let widths = words::COLUMNS.map(|column| column.chars().count().max(9));
    let cells: Vec<String> = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| format!("  {cell:>width$}"))
        .collect();
    format!("  {name:<NAME_WIDTH$}{}", cells.concat())
}
