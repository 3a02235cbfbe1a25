//! The monthly report as a mail: the key numbers for a head of teaching, on one screen. The full
//! report and its rules are behind a link.

use maud::{DOCTYPE, Markup, html as markup};

use super::report::{Report, Row};
use super::words;

/// Inline, because mail programs drop style sheets; no colours but those of the mail program, light
/// or dark.
const BODY: &str = "margin:0 auto;padding:12px;max-width:40em;font:16px/1.45 system-ui,-apple-system,'Segoe UI',sans-serif";
const TITLE: &str = "margin:0 0 4px;font-size:19px";
const PARAGRAPH: &str = "margin:0 0 12px";
const TABLE: &str = "margin:0 0 16px;border-collapse:collapse";
const NAME: &str = "padding:2px 16px 2px 0;text-align:left;font-weight:normal;opacity:.75";
const VALUE: &str = "padding:2px 0;font-weight:600;text-align:right";
const HEADING: &str = "margin:18px 0 6px;font-size:16px";

/// A report as a mail, in both forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportMail {
    /// The subject.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// The mail of a month. `page` is the public address of the page, without a slash at its end.
#[must_use]
pub fn mail(report: &Report, page: Option<&str>) -> ReportMail {
    let whole = whole(report, page);
    ReportMail {
        subject: subject(report),
        text: text(report, &whole),
        html: html(report, &whole),
    }
}

/// `availability in 2026-10: 99.4 % of what was booked`.
fn subject(report: &Report) -> String {
    let booked = report.total.booked_availability.map_or(String::new(), |_| {
        let share = words::percent(report.total.booked_availability);
        format!(": {share} of what was booked")
    });
    format!("availability in {}{booked}", report.period)
}

/// The location of the full report.
fn whole(report: &Report, page: Option<&str>) -> (String, Option<String>) {
    let what = "The whole report, and how it is counted".to_owned();
    match page {
        Some(page) => (
            what,
            Some(format!("{page}/reports?month={}", report.period)),
        ),
        None => (
            format!("{what}: labwatch report --month {}", report.period),
            None,
        ),
    }
}

/// The experiments that cost students the most time.
fn worst(report: &Report) -> Vec<String> {
    let lost = report
        .worst
        .iter()
        .filter(|row| row.student_minutes_lost > 0.0);
    lost.map(|row| {
        format!(
            "{}: {} of students' time lost, {}, available {}",
            row.name,
            words::time(Some(row.student_minutes_lost)),
            words::count(row.failures, "failure"),
            words::percent(row.availability)
        )
    })
    .collect()
}

/// The downtime of labwatch itself.
fn own(total: &Row) -> String {
    format!(
        "labwatch withdrew experiments {}, {} of these needlessly as it turned out.",
        words::count(total.withdrawals, "time"),
        total.withdrawals_regretted
    )
}

fn text(report: &Report, (whole, to): &(String, Option<String>)) -> String {
    let mut lines = vec![words::title(report), words::about(report), String::new()];
    let key_numbers = words::key_numbers(report);
    let widest = key_numbers
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or_default();
    lines.extend(
        key_numbers
            .iter()
            .map(|(name, value)| format!("{name:<widest$}  {value}")),
    );
    let worst = worst(report);
    if !worst.is_empty() {
        lines.extend([String::new(), "Students lost most time on:".to_owned()]);
        lines.extend(worst);
    }
    lines.extend([String::new(), own(&report.total), String::new()]);
    lines.push(
        to.as_ref()
            .map_or_else(|| whole.clone(), |to| format!("{whole}: {to}")),
    );
    lines.join("\n") + "\n"
}

fn html(report: &Report, (whole, to): &(String, Option<String>)) -> String {
    let worst = worst(report);
    let page = markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                meta name="color-scheme" content="light dark";
                title { (words::title(report)) }
            }
            body style=(BODY) {
                h1 style=(TITLE) { (words::title(report)) }
                p style=(PARAGRAPH) { (words::about(report)) }
                table role="presentation" style=(TABLE) {
                    @for (name, value) in words::key_numbers(report) {
                        tr { td style=(NAME) { (name) } td style=(VALUE) { (value) } }
                    }
                }
                @if !worst.is_empty() {
                    h2 style=(HEADING) { "Students lost most time on" }
                    @for line in &worst { p style="margin:0 0 4px" { (line) } }
                }
                p style="margin:16px 0 12px" { (own(&report.total)) }
                p style=(PARAGRAPH) { (link(whole, to.as_deref())) }
            }
        }
    };
    page.into_string() + "\n"
}

fn link(whole: &str, to: Option<&str>) -> Markup {
    markup! {
        @if let Some(to) = to { a href=(to) { (whole) } } @else { (whole) }
    }
}
