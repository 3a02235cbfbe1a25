//! The preview of a command's effect. The texts are the engine's; details that a reader needs next
//! are added.

use jiff::Timestamp;
use maud::{Markup, html};

use crate::http::page::components;
use crate::http::page::layout::Frame;
use crate::http::page::words::{self, clip};
use engine::model::Stub;
use engine::{Affected, Command, Impact, Snapshot, SuppressionId};

/// The most experiments that are listed by name, beyond those that the engine's text names.
const MAX_LISTED: usize = 200;

/// The most experiments that the engine's text names itself.
const NAMED: usize = 5;

/// The effect of a command, as a list of sentences.
pub(super) fn sentences(frame: &Frame<'_>, command: &Command, effect: &Impact) -> Markup {
    let (now, text) = (frame.now, words::sentence(&effect.text));
    html! {
        ul.does {
            @if let Command::Remove { id } = command { li { (ended(frame, *id)) } }
            @if let Command::Category { .. } = command { li { "The category " (words::timed(&text, now)) } }
            @else { li { (words::timed(&capital(&text), now)) } }
            @if let Some(affected) = &effect.affected { (bookings(affected, now)) }
            @match command {
                Command::Hold { reason, .. } => li { "Students read: “" (clip(reason)) "”" },
                Command::Enable { .. } => {},
                Command::Category { reason, .. } => li { "Others read: “" (clip(reason)) "”" },
                Command::Acknowledge { text: said, .. } | Command::Silence { reason: said, .. } | Command::Maintain { reason: said, .. } => {
                    li { "Book is not changed: what can be booked stays as it is." }
                    li { "Others read: “" (clip(said)) "”" }
                },
                Command::Unacknowledge { .. } | Command::Remove { .. } => li { "Book is not changed: what can be booked stays as it is." },
            }
        }
        @if effect.stubs.len() > NAMED { (names(&effect.stubs)) }
    }
}

/// When the first booking that is affected starts.
fn bookings(affected: &Affected, now: Timestamp) -> Markup {
    html! {
        @match affected.first_start.filter(|_| affected.next_week > 0) {
            Some(start) if start > now => li { "The first of them starts at " (words::time(start, now)) ", in " (words::spell_between(now, start)) "." },
            Some(start) => li { "The first of them is under way " (words::since(start, now)) "." },
            None => li { "It has no booking within 7 days." },
        }
    }
}

/// What is about to end.
fn ended(frame: &Frame<'_>, id: SuppressionId) -> Markup {
    let snapshot: &Snapshot = frame.snapshot;
    html! {
        @if let Some(note) = snapshot.notes.iter().find(|note| note.id == Some(id)) {
            "It ends: the " (note.entry.noun()) " of " strong { (clip(&note.entry.about())) } ", made " (words::ago(note.entry.since(), frame.now))
            @if frame.private { " by " (clip(note.entry.who())) }
            ". “" (clip(note.entry.text())) "”"
        } @else { "It ends: number " (id) "." }
    }
}

fn names(stubs: &[Stub]) -> Markup {
    html! {
        details {
            summary { "All " (words::count(stubs.len(), "experiment")) }
            p { @for stub in stubs.iter().take(MAX_LISTED) { (components::link(stub.as_str())) " " } }
            @if stubs.len() > MAX_LISTED { p.soft { (stubs.len() - MAX_LISTED) " more." } }
        }
    }
}

/// The sentence with a capital letter, unless it starts with a name.
fn capital(sentence: &str) -> String {
    let as_str = sentence.split(' ').next().unwrap_or_default();
    if !as_str.chars().all(|letter| letter.is_ascii_lowercase()) {
        return sentence.to_owned();
    }
    words::capital(sentence)
}
