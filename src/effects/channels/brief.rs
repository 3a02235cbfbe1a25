//! A notification for chats: a line for each thing, as many as fit, and how many more there are.
//! Pure.

use engine::model::Health;

use super::Size;
use crate::effects::notification::{Content, Entry, Section, words};

/// The longest single fact, in characters.
const MAX_FACT_CHARS: usize = 300;

/// What the line that says how many more there are takes at most, in bytes.
const MORE_BYTES: usize = 60;

/// What has room: at most so many bytes and so many entries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) bytes: usize,
    pub(super) entries: usize,
}

impl Room {
    /// The share of a size of these bounds.
    pub(super) fn of(size: Size, bytes: usize, entries: usize) -> Self {
        Self {
            bytes: size.of(bytes),
            entries: size.of(entries).max(1),
        }
    }
}

/// How a chat writes things.
pub(super) trait Markup {
    /// Text that is shown as it is.
    fn plain(&self, text: &str) -> String;
    /// A name that stands out.
    fn strong(&self, text: &str) -> String;
    /// A link.
    fn link(&self, text: &str, to: &str) -> String;
}

/// Without any.
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

/// The worst health that a notification tells of; [`Health::Ok`] where it tells of none.
pub(super) fn worst(content: &Content) -> Health {
    let entries = content.sections.iter().flat_map(|section| &section.entries);
    let healths = entries.filter_map(|entry| entry.health);
    let worst = healths.max_by_key(|health| (*health != Health::Ok, *health));
    worst.unwrap_or(Health::Ok)
}

/// The lines below the title.
pub(super) fn lines(content: &Content, room: Room, markup: &impl Markup) -> Vec<String> {
    let tail = tail(content, markup);
    // How many are left out is said too, and is not known yet.
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

/// What stands at the end.
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
    /// Adds a line where there is room for it.
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

/// A thing with all that is known of it.
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

/// A thing in a few words.
fn name(entry: &Entry, markup: &impl Markup) -> String {
    let said = markup.plain(&entry.said);
    if entry.name.is_empty() {
        return said;
    }
    format!("{} {said}", markup.strong(&entry.name))
}

/// Text in which no name is a call for attention of all who are in a room.
pub(super) fn without_calls(text: &str) -> String {
    // A joiner of no width behind it: what is shown is the same.
    text.replace('@', "@\u{2060}")
}
