//! Reports as pages: a month, its counts, and the rule of counting. The numbers and texts are those
//! of the mailed report.

use std::array::from_fn;

use maud::{Markup, html};

use super::components;
use super::filter::{MAX_ROWS, address, address_of};
use super::words::{self, clip};
use crate::http::NoReport;
use crate::reports::words as said;
use crate::reports::{By, Report, Row};
use engine::Snapshot;

/// The columns of a table: a name and the counts.
const COLUMNS: usize = said::COLUMNS.len() + 1;

/// How many months can be chosen.
pub(super) const MONTHS: usize = 24;

/// The page. `months` can be chosen; `asked` was requested, if any.
pub(super) fn page(
    snapshot: &Snapshot,
    months: &[String],
    asked: Option<&str>,
    report: &Result<Report, NoReport>,
) -> Markup {
    let chosen = report
        .as_ref()
        .ok()
        .map(|report| report.period.as_str())
        .or(asked);
    html! {
        h1 { "Reports" @if let Ok(report) = report { " " span.soft { (name(&report.period)) } } }
        (chooser(months, chosen))
        @match report {
            Err(NoReport(why)) => (components::none(&words::sentence(why))),
            Ok(report) => (whole(snapshot, report)),
        }
    }
}

fn chooser(months: &[String], chosen: Option<&str>) -> Markup {
    html! {
        form.search #report-form method="get" action="/reports" {
            label for="period" { "Month" }
            select #period name="period" {
                @for month in months { option value=(month) selected[chosen == Some(month.as_str())] { (name(month)) } }
            }
            button type="submit" { "Show" }
        }
    }
}

fn whole(snapshot: &Snapshot, report: &Report) -> Markup {
    html! {
        p.soft.about { (said::about(report)) " " a href="#rule" { "How this is counted" } }
        @if report.total.availability.is_none() { (components::none("Nothing was evaluated in this month: labwatch did not run, or knew of no experiment.")) }
        @else {
            dl.key-numbers { @for (name, value) in said::key_numbers(report) { div { dt { (name) } dd { (value) } } } }
            ul.does { @for sentence in said::sentences(report) { li { (sentence) } } }
        }
        p.links {
            "The whole month: "
            @for (by, words) in [(By::Experiment, "CSV by experiment"), (By::Pool, "CSV by pool")] {
                a href={ "/api/v2/availability?format=csv&by=" (by.as_str()) "&period=" (report.period) } { (words) } " · "
            }
            a href={ "/api/v2/availability?period=" (report.period) } { "JSON" } " · "
            a href={ "/api/v2/availability?format=html&period=" (report.period) } { "one page to print" }
        }
        @if !report.worst.is_empty() {
            section #part-worst aria-labelledby="worst" { h2 #worst { "Worst experiments" } (table("Worst experiments", &report.worst, |row| experiment(snapshot, row))) }
        }
        section #part-restore aria-labelledby="restore" {
            h2 #restore { "Usual time to restore" }
            @if report.restore.is_empty() { (components::none("Nothing was seen to fail and to come back.")) }
            @else { ul.does { @for restore in &report.restore { li { (said::restore(restore)) } } } }
        }
        (components::section("pools", "By pool", &list("By pool", report.rows(By::Pool), |row| html! { a.name href=(address("pool", &row.name)) { (clip(&row.name)) } })))
        (components::section("experiments", "By experiment", &list("By experiment", report.rows(By::Experiment), |row| experiment(snapshot, row))))
        details {
            summary { "How this is counted" }
            ul.does #rule { @for line in report.rule.lines() { li { (line) } } }
        }
    }
}

/// A name that links to the experiment's page, if there is one.
fn experiment(snapshot: &Snapshot, row: &Row) -> Markup {
    html! {
        @if snapshot.experiment(&row.name).is_some() { a.name href=(address_of("/experiments", &row.name)) { (clip(&row.name)) } }
        @else { (clip(&row.name)) }
    }
}

fn list(caption: &str, rows: &[Row], name: impl Fn(&Row) -> Markup) -> Markup {
    let shown = rows.get(..MAX_ROWS).unwrap_or(rows);
    html! {
        @if rows.is_empty() { (components::none("Nothing was evaluated.")) }
        @else {
            (table(caption, shown, name))
            @if rows.len() > shown.len() { p.soft { (rows.len() - shown.len()) " more are in the files above." } }
        }
    }
}

fn table(caption: &str, rows: &[Row], name: impl Fn(&Row) -> Markup) -> Markup {
    let heads: [&str; COLUMNS] = from_fn(|at| {
        at.checked_sub(1)
            .and_then(|at| said::COLUMNS.get(at))
            .copied()
            .unwrap_or("Name")
    });
    let rows = rows.iter().map(|row| {
        let mut cells = said::cells(row).into_iter();
        from_fn(|at| {
            if at == 0 {
                name(row)
            } else {
                html! { (cells.next().unwrap_or_default()) }
            }
        })
    });
    html! { div.numbers { (components::table::<COLUMNS>(caption, heads, rows)) } }
}

/// A month as text: `October 2026`.
fn name(month: &str) -> String {
    let first = format!("{month}-01").parse::<jiff::civil::Date>();
    first.map_or_else(|_| clip(month), |first| first.strftime("%B %Y").to_string())
}
