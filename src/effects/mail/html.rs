//! Lays a notification out as HTML: one column, inline style, colours that hold on light and dark,
//! nothing loaded from elsewhere. Pure.

use std::fmt::Write;

use crate::effects::notification::{Content, Entry, Section, colour, is_web, words};

const BODY: &str = "margin:0 auto;padding:12px;max-width:40em;font:16px/1.45 system-ui,-apple-system,'Segoe UI',sans-serif";
const FIRST: &str = "margin:0 0 10px;font-size:17px;font-weight:600";
const LEAD: &str = "margin:0 0 10px";
const HEADING: &str = "margin:22px 0 8px;font-size:15px;font-weight:600";
const ENTRY: &str = "margin:0 0 12px;padding:2px 0 2px 12px;border-left:4px solid ";
const SAID: &str = "margin:0";
const FACTS: &str = "margin:6px 0 0;border-collapse:collapse;font-size:15px";
const WHAT: &str = "padding:1px 12px 1px 0;text-align:left;vertical-align:top;font-weight:normal;opacity:.7;white-space:nowrap";
const FACT: &str = "padding:1px 0;vertical-align:top";
const LINKS: &str = "margin:8px 0 0";
const LINK: &str = "display:inline-block;margin:0 8px 4px 0;padding:4px 12px;border:1px solid;border-radius:6px;font-size:15px;text-decoration:none";
const BADGE: &str =
    "padding:1px 8px;border-radius:9px;color:#fff;font-size:13px;white-space:nowrap;background:";
const FOOT: &str = "margin:24px 0 0;font-size:14px;opacity:.8";

/// The colour of what is about no experiment.
const PLAIN: &str = "#8a94a0";

pub(super) fn render(content: &Content) -> String {
    let mut out = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"supported-color-schemes\" content=\"light dark\">\n",
    );
    let _ = writeln!(
        out,
        "<title>{}</title>\n</head>\n<body style=\"{BODY}\">",
        escape(&content.title)
    );
    for (at, line) in content.lead.iter().enumerate() {
        let style = if at == 0 { FIRST } else { LEAD };
        let _ = writeln!(out, "<p style=\"{style}\">{}</p>", escape(line));
    }
    for section in &content.sections {
        push_section(&mut out, section);
    }
    let foot: Vec<String> = content.foot.iter().map(|line| escape(line)).collect();
    let _ = writeln!(out, "<p style=\"{FOOT}\">{}", foot.join("<br>\n"));
    if !content.link.is_empty() {
        let _ = writeln!(
            out,
            "<br>\nAll of it: {}",
            link(&content.link, &content.link, "")
        );
    }
    out.push_str("</p>\n</body>\n</html>\n");
    out
}

fn push_section(out: &mut String, section: &Section) {
    if !section.title.is_empty() {
        let title = escape(&section.title);
        let _ = writeln!(out, "<h2 style=\"{HEADING}\">{title}</h2>");
    }
    for entry in &section.entries {
        push_entry(out, entry);
    }
    if section.more > 0 {
        let _ = writeln!(out, "<p style=\"{SAID}\">... and {} more</p>", section.more);
    }
}

fn push_entry(out: &mut String, entry: &Entry) {
    let shade = entry.health.map_or(PLAIN, colour);
    let _ = write!(out, "<div style=\"{ENTRY}{shade}\">\n<p style=\"{SAID}\">");
    if let Some(health) = entry.health {
        let _ = write!(
            out,
            "<span style=\"{BADGE}{shade}\">{}</span> ",
            words::state(health)
        );
    }
    if !entry.name.is_empty() {
        let _ = write!(out, "<b>{}</b> ", escape(&entry.name));
    }
    let _ = writeln!(out, "{}</p>", escape(said(entry)));
    if !entry.facts.is_empty() {
        let _ = writeln!(out, "<table role=\"presentation\" style=\"{FACTS}\">");
        for (what, fact) in &entry.facts {
            let _ = writeln!(
                out,
                "<tr><td style=\"{WHAT}\">{what}</td><td style=\"{FACT}\">{}</td></tr>",
                escape(fact)
            );
        }
        out.push_str("</table>\n");
    }
    if !entry.links.is_empty() {
        let links = entry.links.iter().map(|(what, to)| link(to, what, LINK));
        let _ = writeln!(
            out,
            "<p style=\"{LINKS}\">{}</p>",
            links.collect::<String>()
        );
    }
    out.push_str("</div>\n");
}

/// The text beside the badge, without the state that the badge shows.
fn said(entry: &Entry) -> &str {
    let state = entry.health.map(words::state).unwrap_or_default();
    let rest = entry.said.strip_prefix(state).filter(|_| !state.is_empty());
    rest.map_or(entry.said.as_str(), |rest| {
        rest.trim_start_matches([' ', ':', ';', ','])
    })
}

/// Only an address of the web becomes a link; anything else is shown as it stands.
fn link(to: &str, text: &str, style: &str) -> String {
    if !is_web(to) {
        return escape(text);
    }
    let style = if style.is_empty() {
        String::new()
    } else {
        format!(" style=\"{style}\"")
    };
    format!("<a href=\"{}\"{style}>{}</a>", escape(to), escape(text))
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
    use engine::model::Health;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        assert_eq!(
            escape("<img src=\"x\" onerror='a&b'>"),
            "&lt;img src=&quot;x&quot; onerror=&#39;a&amp;b&#39;&gt;"
        );
        assert_eq!(link("javascript:alert(1)", "x", ""), "x");
        assert_eq!(
            link("https://lab.example.org/?a=1&b=\"", "<b>", ""),
            "<a href=\"https://lab.example.org/?a=1&amp;b=&quot;\">&lt;b&gt;</a>"
        );
    }

    #[test]
    fn the_badge_says_the_state_once() {
        let entry = Entry {
            health: Some(Health::Down),
            said: "down since 01:04 GMT".to_owned(),
            ..Entry::default()
        };
        assert_eq!(said(&entry), "since 01:04 GMT");
    }
}
