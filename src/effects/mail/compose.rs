//! Lays a notification out as a mail: subject, plain text and HTML. Pure.

use std::fmt::Write;

use super::html;
use crate::effects::notification::{Content, Entry, Presentation, content};
use engine::Summary;
use engine::model::escape_deceptive;

/// A composed mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// The subject: one line, without white space at its ends.
    pub subject: String,
    /// The plain text, lines ending in `\n`.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// The same for filters, as ASCII words.
    pub state: Vec<String>,
}

/// Composes the mail of a summary.
#[must_use]
pub fn compose(summary: &Summary, presentation: &Presentation) -> Composed {
    let content = content(summary, presentation);
    let shown = |text: &str| escape_deceptive(text).into_owned();
    Composed {
        subject: shown(&content.title),
        text: shown(&text(&content)),
        html: shown(&html::render(&content)),
        state: content.state,
    }
}

fn text(content: &Content) -> String {
    let mut out = String::new();
    for line in &content.lead {
        let _ = writeln!(out, "{line}");
    }
    for section in &content.sections {
        let gap = if out.is_empty() { "" } else { "\n" };
        match section.title.as_str() {
            "" => out.push_str(gap),
            title => drop(writeln!(out, "{gap}{title}:")),
        }
        for entry in &section.entries {
            push_entry(&mut out, entry);
        }
        if section.more > 0 {
            let _ = writeln!(out, "... and {} more", section.more);
        }
    }
    let gap = if out.is_empty() { "" } else { "\n" };
    let _ = writeln!(out, "{gap}{}", content.foot.join("\n"));
    if !content.link.is_empty() {
        let _ = writeln!(out, "All of it: {}", content.link);
    }
    out
}

fn push_entry(out: &mut String, entry: &Entry) {
    let colon = if entry.name.is_empty() { "" } else { ": " };
    let _ = writeln!(out, "{}{colon}{}", entry.name, entry.said);
    for (what, said) in entry.facts.iter().chain(&entry.links) {
        let _ = writeln!(out, "    {what}: {said}");
    }
}
