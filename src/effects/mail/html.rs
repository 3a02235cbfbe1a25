//! Lays a mail out as HTML: one column, inline style, colours that hold on light and dark, nothing loaded from elsewhere. Pure.

use std::fmt::Write;

use super::compose::{Content, Listing, Row};
use super::words;
use engine::model::Health;

const BODY: &str = "margin:0 auto;padding:12px;max-width:42em;font:16px/1.4 system-ui,sans-serif";
const HEADLINE: &str = "margin:0 0 8px;font-size:18px;font-weight:bold";
const HEADING: &str = "margin:20px 0 6px;font-size:16px";
const ITEM: &str = "margin:0 0 8px";
const BADGE: &str = "padding:1px 7px;border-radius:9px;color:#fff;font-size:13px;background:";

pub(super) fn render(content: &Content) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">"
    );
    let _ = writeln!(
        out,
        "<meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"color-scheme\" content=\"light dark\">"
    );
    let _ = writeln!(
        out,
        "<title>labwatch</title>\n</head>\n<body style=\"{BODY}\">"
    );
    let _ = writeln!(
        out,
        "<p style=\"{HEADLINE}\">{}</p>",
        escape(&content.headline)
    );
    let _ = writeln!(
        out,
        "<p style=\"{ITEM}\">{}<br>\nSystem time: {}</p>",
        escape(&content.counts),
        escape(&content.time)
    );
    push_section(&mut out, "System alerts", &content.alerts, |alert| {
        escape(alert)
    });
    push_section(&mut out, "Worth knowing", &content.background, |text| {
        escape(text)
    });
    let news = format!("New: {} issues, {} ok", content.new_issues, content.new_oks);
    push_section(&mut out, &news, &content.news, row);
    push_section(
        &mut out,
        "All new and existing health issues",
        &content.problems,
        row,
    );
    push_link(&mut out, &content.link);
    out.push_str("</body>\n</html>\n");
    out
}

fn push_section<T>(
    out: &mut String,
    title: &str,
    listing: &Listing<T>,
    show: impl Fn(&T) -> String,
) {
    if listing.shown.is_empty() {
        return;
    }
    let _ = writeln!(out, "<h2 style=\"{HEADING}\">{}</h2>", escape(title));
    for item in &listing.shown {
        let _ = writeln!(out, "<p style=\"{ITEM}\">{}</p>", show(item));
    }
    if listing.more > 0 {
        let _ = writeln!(out, "<p style=\"{ITEM}\">... and {} more</p>", listing.more);
    }
}

fn row(row: &Row) -> String {
    let (matter, rest) = row
        .words
        .split_first()
        .map_or(("", &[][..]), |(matter, rest)| (matter.as_str(), rest));
    let state = if row.health == Health::Ok {
        "ok"
    } else {
        words::state(row.health)
    };
    let matter = matter
        .strip_prefix(state)
        .map_or(matter, |rest| rest.trim_start_matches(": "));
    let mut out = format!(
        "<span style=\"{BADGE}{}\">{state}</span> <b>{}</b> {}",
        colour(row.health),
        escape(&row.name),
        escape(matter)
    );
    if !rest.is_empty() {
        let _ = write!(out, "<br>\n<small>{}</small>", escape(&rest.join("; ")));
    }
    if let Some(advice) = &row.advice {
        let _ = write!(out, "<br>\n<small><i>{}</i></small>", escape(advice));
    }
    out
}

/// Dark enough for white letters, light enough to stand out on black.
fn colour(health: Health) -> &'static str {
    match health {
        Health::Ok => "#1b7f3b",
        Health::Degraded => "#9a5b00",
        Health::Flapping => "#a63a79",
        Health::Down => "#c5221f",
        Health::Unknown => "#5f6b76",
    }
}

/// Only an address of the web becomes a link; anything else is shown as it stands.
fn push_link(out: &mut String, link: &str) {
    if link.is_empty() {
        return;
    }
    let shown = escape(link);
    let is_web = ["http://", "https://"]
        .iter()
        .any(|scheme| link.starts_with(scheme));
    let link = if is_web {
        format!("<a href=\"{shown}\">{shown}</a>")
    } else {
        shown
    };
    let _ = writeln!(
        out,
        "<p style=\"{ITEM}\">For the latest complete status information, please go to {link}</p>"
    );
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        assert_eq!(
            escape("<img src=\"x\" onerror='a&b'>"),
            "&lt;img src=&quot;x&quot; onerror=&#39;a&amp;b&#39;&gt;"
        );
        let mut out = String::new();
        push_link(&mut out, "javascript:alert(1)");
        assert!(!out.contains("href"), "{out}");
        push_link(&mut out, "https://lab.example.org/?a=1&b=\"");
        assert!(
            out.contains("href=\"https://lab.example.org/?a=1&amp;b=&quot;\""),
            "{out}"
        );
    }
}
