//! A report as a page that prints well: one file, no script, nothing from outside.

use super::sheet::{By, Report, Row};
use super::words;

/// How it looks: dark on white, tables that break between rows.
const STYLE: &str = "body{font:14px/1.4 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#111;background:#fff}\
table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}caption{text-align:left;font-weight:600;padding:.3rem 0}\
th,td{border-bottom:1px solid #767676;padding:.25rem .5rem;text-align:right;font-variant-numeric:tabular-nums}\
th:first-child,td:first-child{text-align:left;overflow-wrap:anywhere}thead{display:table-header-group}tr{break-inside:avoid}\
@media print{body{margin:0;max-width:none;font-size:10pt}}";

/// The report as a page.
#[must_use]
pub fn html(report: &Report) -> String {
    let title = escaped(&format!(
        "Availability of the laboratory in {}",
        report.period
    ));
    let about = escaped(&words::about(report));
    let by = |by: By| table(&format!("By {}", by.as_str()), report.rows(by));
    let restore = report.restore.iter().map(words::restore);
    [
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
             <title>{title}</title><style>{STYLE}</style></head>\n<body><main><h1>{title}</h1>\n<p>{about}</p>\n"
        ),
        list("", words::sentences(report)),
        table("Worst experiments", &report.worst),
        list("<h2>Usual time to restore</h2>\n", restore),
        By::ALL.map(by).concat(),
        list("<h2>How this is counted</h2>\n", report.rule.lines().map(str::to_owned)),
        "</main></body></html>\n".to_owned(),
    ]
    .concat()
}

/// A list below its heading; nothing where it is empty.
fn list(heading: &str, items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<String> = items
        .into_iter()
        .map(|item| format!("<li>{}</li>\n", escaped(&item)))
        .collect();
    if items.is_empty() {
        String::new()
    } else {
        format!("{heading}<ul>\n{}</ul>\n", items.concat())
    }
}

fn table(caption: &str, rows: &[Row]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let heads: Vec<String> = words::COLUMNS
        .iter()
        .map(|column| format!("<th scope=\"col\">{column}</th>"))
        .collect();
    let row = |row: &Row| {
        let cells = words::cells(row).map(|cell| format!("<td>{}</td>", escaped(&cell)));
        format!(
            "<tr><th scope=\"row\">{}</th>{}</tr>\n",
            escaped(&row.name),
            cells.concat()
        )
    };
    let (heads, rows) = (
        heads.concat(),
        rows.iter().map(row).collect::<Vec<_>>().concat(),
    );
    format!(
        "<table><caption>{}</caption>\n<thead><tr><th scope=\"col\">name</th>{heads}</tr></thead>\n<tbody>\n{rows}</tbody></table>\n",
        escaped(caption)
    )
}

/// A text that is nothing but text in a page.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            plain => safe.push(plain),
        }
    }
    safe
}
