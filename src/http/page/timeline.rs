//! The events of the laboratory, newest first: changes of health, switches, changes of sources, and
//! times without data.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::answer::Answer;
use super::layout::Frame;

use super::words::{self, clip};
use super::{components, sources};
use crate::store::{Gap, Range, SourceRow, SwitchRow};
use engine::model::Visibility;
use engine::{Event, Issue, Snapshot};

/// The most entries that the page lists.
pub(super) const MAX_ENTRIES: usize = 200;

/// How far back the page goes, as in the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Span {
    #[default]
    Day,
    Week,
}

impl Span {
    const ALL: [Self; 2] = [Self::Day, Self::Week];

    /// The span of this name; a day without one.
    pub(super) fn named(text: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|span| span.as_str() == text)
            .unwrap_or_default()
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Day => "Last 24 hours",
            Self::Week => "Last 7 days",
        }
    }

    /// The range, up to a short time ahead, for a clock that was set back.
    pub(super) fn range(self, now: Timestamp) -> Range {
        let length = SignedDuration::from_hours(match self {
            Self::Day => 24,
            Self::Week => 7 * 24,
        });
        Range {
            from: now.checked_sub(length).unwrap_or(Timestamp::MIN),
            until: now
                .checked_add(SignedDuration::from_mins(1))
                .unwrap_or(Timestamp::MAX),
        }
    }
}

/// The store's records of the laboratory in a range.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) switches: Vec<SwitchRow>,
    pub(super) sources: Vec<SourceRow>,
    pub(super) gaps: Vec<Gap>,
}

/// An event: its time, kind, subject and text.
struct Entry {
    at: Timestamp,
    kind: &'static str,
    subject: Markup,
    what: Markup,
}

pub(super) fn page(frame: &Frame<'_>, span: Span, kept: Option<&Answer<Kept>>) -> Markup {
    let mut entries = changes(frame.snapshot, span.range(frame.now));
    if let Some(Ok(kept)) = kept {
        entries.extend(
            kept.switches
                .iter()
                .map(|row| switch(row, frame.visibility)),
        );
        entries.extend(kept.sources.iter().map(|row| source(row, frame.visibility)));
        entries.extend(kept.gaps.iter().map(gap));
    }
    entries.sort_by_key(|entry| Reverse(entry.at));
    let total = entries.len();
    entries.truncate(MAX_ENTRIES);
    html! {
        h1 { "Timeline" }
        ul.spans {
            @for of in Span::ALL {
                li { a href={ "/timeline?range=" (of.as_str()) } aria-current=[(of == span).then_some("true")] { (of.words()) } }
            }
        }
        section #part-timeline aria-labelledby="entries" {
            h2 #entries { (words::count(total, "entry")) ", newest first" }
            @match kept {
                None => (components::none("No history is kept (data_dir is none): switches and changes of sources are not listed.")),
                Some(Err(error)) => (components::none(&format!("The history cannot be read now: {error}."))),
                Some(Ok(_)) => {},
            }
            @if entries.is_empty() { (components::none("Nothing happened in this time.")) }
            @else { (table(&entries, frame.now)) }
            @if total > entries.len() { p.soft { "The newest " (entries.len()) " are shown. " a href="/api/v2/incidents" { "All incidents as JSON" } } }
        }
    }
}

fn table(entries: &[Entry], now: Timestamp) -> Markup {
    let rows = entries.iter().map(|entry| {
        [
            words::stamp(entry.at, now),
            html! { (entry.kind) },
            entry.subject.clone(),
            entry.what.clone(),
        ]
    });
    components::table(
        "What happened, newest first",
        ["When", "Kind", "Of", "What"],
        rows,
    )
}

/// The changes of health. Each experiment keeps its latest ones in the snapshot, which is as far as
/// a list of the newest ones reaches.
fn changes(snapshot: &Snapshot, range: Range) -> Vec<Entry> {
    let events = snapshot
        .experiments
        .iter()
        .flat_map(|view| view.events.iter().map(move |event| (&view.stub, event)));
    events
        .filter(|(_, event)| event.when >= range.from && event.when < range.until)
        .map(|(stub, event)| Entry {
            at: event.when,
            kind: "health",
            subject: components::link(stub.as_str()),
            what: change(event),
        })
        .collect()
}

fn change(event: &Event) -> Markup {
    let issues: Vec<_> = event.issues.iter().map(Issue::to_string).collect();
    html! {
        (components::state(event.was)) " to " (components::state(event.health))
        @if !issues.is_empty() { span.soft.small { (clip(&issues.join("; "))) } }
    }
}

fn switch(row: &SwitchRow, reader: Visibility) -> Entry {
    Entry {
        at: row.at,
        kind: "switch",
        subject: html! { (components::link(row.stub.as_str())) " " span.soft { (clip(row.resource.as_str())) } },
        what: html! {
            (components::switched(row.available)) ": " (components::outcome(row.outcome.as_deref()))
            @if let Some(note) = row.note.as_ref().and_then(|note| note.show(reader)).filter(|note| **note != row.reason) { " " span.soft { (clip(note)) } }
            span.soft.small { (clip(&row.reason)) }
        },
    }
}

fn source(row: &SourceRow, reader: Visibility) -> Entry {
    Entry {
        at: row.at,
        kind: "source",
        subject: html! { a.name href="/sources" { (row.source) } },
        what: html! {
            (sources::health(row.health))
            @if let Some(note) = row.note.show(reader).filter(|note| !note.is_empty()) { span.soft.small { (clip(note)) } }
        },
    }
}

fn gap(gap: &Gap) -> Entry {
    Entry {
        at: gap.since,
        kind: "no data",
        subject: html! { "labwatch" },
        what: html! { (sources::gap_words(gap.why)) " for " (words::spell_between(gap.since, gap.until)) },
    }
}
