//! A notification for chats: one line per entry, as many as fit, and how many were left out. Pure.

use engine::model::Health;

use super::Size;
use crate::effects::notification::{Content, Entry, Section, words};

/// The longest single fact, in characters.
const MAX_FACT_CHARS: usize = 300;

/// The most that the line with the number of entries left out takes, in bytes.
const MORE_BYTES: usize = 60;

/// The bounds of a text: at most so many bytes and so many entries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) bytes: usize,
    pub(super) entries: usize,
}

impl Room {
    /// The share of these bounds for a size.
    pub(super) fn of(size: Size, bytes: usize, entries: usize) -> Self {
        Self {
            bytes: size.of(bytes),
            entries: size.of(entries).max(1),
        }
    }
}

/// The markup of a chat.
pub(super) trait Markup {
    /// Text without markup, escaped.
    fn plain(&self, text: &str) -> String;
    /// A name in bold.
    fn strong(&self, text: &str) -> String;
    /// A link.
    fn link(&self, text: &str, to: &str) -> String;
}

/// No markup.
pub(super) struct Plain;

impl Markup for Plain {
    fn plain(&self, text: &str) -> String {
        text.to_owned()
    }

    fn strong(&self, text: &str) -> String {
        text.to_owned()
    }

    fn link(&self, text: &str, to: &str) -> String {
        format!("{text}: {to}")
    }
}

/// The worst health in a notification; [`Health::Ok`] where it has none.
pub(super) fn worst(content: &Content) -> Health {
    let entries = content.sections.iter().flat_map(|section| &section.entries);
    let healths = entries.filter_map(|entry| entry.health);
    let worst = healths.max_by_key(|health| (*health != Health::Ok, *health));
    worst.unwrap_or(Health::Ok)
}

/// The lines below the title.
pub(super) fn lines(content: &Content, room: Room, markup: &impl Markup) -> Vec<String> {
    let tail = tail(content, markup);
    // The line with the number of entries left out is counted too, and is not known yet.
    let kept = tail.iter().map(|line| line.len() + 1).sum::<usize>() + MORE_BYTES;
    let mut page = Page {
        lines: Vec::new(),
        left: room.bytes.saturating_sub(kept),
    };
    for line in &content.lead {
        page.push(markup.plain(line));
    }
    let (mut shown, mut left_out) = (0, 0);
    for section in &content.sections {
        left_out += section.more;
        if shown < room.entries {
            page.push(heading(section, markup));
        }
        for entry in &section.entries {
            let has_room = shown < room.entries;
            if has_room && (page.push(said(entry, markup)) || page.push(name(entry, markup))) {
                shown += 1;
            } else {
                left_out += 1;
            }
        }
    }
    let more = format!("... and {left_out} more");
    let more = (left_out > 0).then(|| markup.plain(&more));
    page.lines.into_iter().chain(more).chain(tail).collect()
}

/// The last lines.
fn tail(content: &Content, markup: &impl Markup) -> Vec<String> {
    let foot = content.foot.iter().map(|line| markup.plain(line));
    let is_linked = !content.link.is_empty();
    let link = is_linked.then(|| markup.link("All of it", &content.link));
    foot.chain(link).collect()
}

struct Page {
    lines: Vec<String>,
    left: usize,
}

impl Page {
    /// Adds a line if there is room for it.
    fn push(&mut self, line: String) -> bool {
        let length = line.len() + 1;
        let fits = length <= self.left;
        if fits && length > 1 {
            self.left -= length;
            self.lines.push(line);
        }
        fits
    }
}

fn heading(section: &Section, markup: &impl Markup) -> String {
    if section.title.is_empty() {
        String::new()
    } else {
        markup.strong(&section.title)
    }
}

/// An entry with all its facts.
fn said(entry: &Entry, markup: &impl Markup) -> String {
    let facts = entry.facts.iter().map(|(what, fact)| {
        let fact = words::clip(fact, MAX_FACT_CHARS);
        let fact = format!("{}: {fact}", what.to_lowercase());
        format!("; {}", markup.plain(&fact))
    });
    let links = entry.links.iter();
    let links = links.map(|(what, to)| format!(" {}", markup.link(what, to)));
    let rest: String = facts.chain(links).collect();
    format!("{}{rest}", name(entry, markup))
}

/// An entry in short: health and name.
fn name(entry: &Entry, markup: &impl Markup) -> String {
    let said = markup.plain(&entry.said);
    if entry.name.is_empty() {
        return said;
    }
    format!("{} {said}", markup.strong(&entry.name))
}

/// Text in which no name is a mention that alerts all members of a room.
pub(super) fn without_calls(text: &str) -> String {
    // A zero-width joiner behind it: what is shown is the same.
    text.replace('@', "@\u{2060}")
}
