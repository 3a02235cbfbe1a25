//! A report as a printable page: one file, no script, nothing from other sites. The key numbers are
//! first, the rules under a heading that opens.

use maud::{DOCTYPE, Markup, PreEscaped, html as markup};

use super::report::{By, Report, Row};
use super::words;

/// The style: dark on white, tables that break between rows; on paper everything is open.
const STYLE: &str = "body{font:14px/1.4 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#111;background:#fff}\
dl{display:flex;flex-wrap:wrap;gap:.5rem 2rem;margin:1rem 0}dt{color:#444}dd{margin:0;font-size:1.6rem;font-weight:600}\
table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}caption{text-align:left;font-weight:600;padding:.3rem 0}\
th,td{border-bottom:1px solid #767676;padding:.25rem .5rem;text-align:right;font-variant-numeric:tabular-nums}\
th:first-child,td:first-child{text-align:left;overflow-wrap:anywhere}thead{display:table-header-group}tr{break-inside:avoid}\
summary{font-size:1.2rem;font-weight:600;margin:1rem 0}\
@media print{body{margin:0;max-width:none;font-size:10pt}details::details-content{content-visibility:visible;display:block}}";

/// The report as a page.
#[must_use]
pub fn html(report: &Report) -> String {
    let title = words::title(report);
    let page = markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main {
                h1 { (title) }
                p { (words::about(report)) }
                dl { @for (name, value) in words::key_numbers(report) { div { dt { (name) } dd { (value) } } } }
                (list(&words::sentences(report)))
                (table("Worst experiments", &report.worst))
                @if !report.restore.is_empty() {
                    h2 { "Usual time to restore" }
                    (list(&report.restore.iter().map(words::restore).collect::<Vec<_>>()))
                }
                @for by in By::ALL { (table(&format!("By {}", by.as_str()), report.rows(by))) }
                details {
                    summary { "How this is counted" }
                    (list(&report.rule.lines().map(str::to_owned).collect::<Vec<_>>()))
                }
            } }
        }
    };
    page.into_string()
}

fn list(items: &[String]) -> Markup {
    markup! { ul { @for item in items { li { (item) } } } }
}

fn table(caption: &str, rows: &[Row]) -> Markup {
    markup! {
        @if !rows.is_empty() {
            table {
                caption { (caption) }
                thead { tr { th scope="col" { "name" } @for column in words::COLUMNS { th scope="col" { (column) } } } }
                tbody {
                    @for row in rows {
                        tr { th scope="row" { (row.name) } @for cell in words::cells(row) { td { (cell) } } }
                    }
                }
            }
        }
    }
}
