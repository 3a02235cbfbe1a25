//! What cannot be booked and why: manual holds, withdrawals of labwatch, and suppressions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maud::{Markup, html};

use super::answer::Answer;
use super::commands::{self, Kind};
use super::components;
use super::filter::MAX_ROWS;
use super::layout::Frame;
use super::shapes::shape;
use super::view::{self, Experiment};
use super::words::{self, clip};
use crate::store::Hold;
use engine::model::Bookable;
use engine::model::Gather as _;
use engine::{
    Affected, ExperimentView, Maintenance, NoteView, Schedule, Snapshot, SuppressionEntry,
    SuppressionKind,
};

/// The page. `past` holds past manual holds, newest first.
pub(super) fn page(frame: &Frame<'_>, past: Option<&Answer<Vec<Hold>>>) -> Markup {
    html! {
        h1 { "Holds and silences" }
        @if frame.acts { (components::actions(&commands::at_large())) }
        @else { (components::sign_in(frame, "/holds", "hold, acknowledge, silence or plan maintenance")) }
        section #part-held aria-labelledby="held" {
            h2 #held { "Held by a person" }
            p.soft { "A person withdrew these. labwatch never gives them back by itself, however well they work." }
            (held(frame))
        }
        section #part-ours aria-labelledby="ours" {
            h2 #ours { "Withdrawn by labwatch" }
            p.soft { "labwatch gives these back by itself as soon as they work." }
            (ours(frame))
        }
        section #part-suppressed aria-labelledby="suppressed" {
            h2 #suppressed { "Acknowledged, silenced, in maintenance" }
            p.soft { "labwatch sends no notifications about these until the time given." }
            (notes(frame))
        }
        section #part-past aria-labelledby="past" {
            h2 #past { "Ended holds" }
            (components::kept(past, |holds| ended(holds, frame.now)))
        }
    }
}

/// Manual holds: first those that block bookings, in the engine's order.
fn held(frame: &Frame<'_>) -> Markup {
    let (holds, now) = (&frame.snapshot.holds, frame.now);
    let owners = owners(frame.snapshot);
    let rows = holds.iter().take(MAX_ROWS).map(|view| {
        let owner = owners.get(view.resource.as_str()).map(|owner| Experiment::of(frame.snapshot, owner));
        [
            html! {
                (clip(view.resource.as_str()))
                @if let Some(owner) = &owner { span.soft.small { (components::link(owner.name())) } }
            },
            html! {
                @if let Some(owner) = &owner { (components::state(owner.state)) }
                @if let Some(since) = view.healthy_since { span.soft.small { (words::since(since, now)) } }
            },
            html! {
                (words::lasting(view.hold.since, now))
                @if view.overdue { span.small { span.clash { (shape("clash")) "looks forgotten" } } }
            },
            html! { (clip(&view.hold.reason)) },
            blocked(&view.blocked, now),
            order(frame, Kind::Enable, "resource", view.resource.as_str()),
        ]
    });
    html! {
        @if holds.is_empty() { (components::none("None.")) }
        @else {
            (components::table("Held by a person", ["Resource", "Health", "Held since", "What students read", "Blocks", "Do"], rows))
            (components::more(holds.len()))
        }
    }
}

/// The experiments by their resources in book.
fn owners(snapshot: &Snapshot) -> BTreeMap<&str, &ExperimentView> {
    snapshot
        .experiments
        .iter()
        .flat_map(|view| {
            view.resources
                .iter()
                .map(move |of| (of.name.as_str(), view.as_ref()))
        })
        .gather()
}

/// The bookings that cannot start.
fn blocked(blocked: &Affected, now: Timestamp) -> Markup {
    html! {
        @match blocked.first_start {
            Some(start) if blocked.next_week > 0 => {
                strong.is-down { (words::count(blocked.next_week, "booking")) } " in 7 days"
                span.small { @if start > now { "the first in " (words::spell_between(now, start)) ", " (words::time(start, now)) } @else { "one is under way" } }
            },
            _ => "no booking in 7 days",
        }
    }
}

/// The withdrawals of labwatch.
fn ours(frame: &Frame<'_>) -> Markup {
    let now = frame.now;
    let all = view::experiments(frame.snapshot)
        .flat_map(|experiment| {
            experiment
                .view
                .resources
                .iter()
                .map(move |resource| (experiment, resource))
        })
        .filter(|(_, resource)| resource.bookable == Some(Bookable::Withdrawn));
    let all: Vec<_> = all.collect();
    let rows = all.iter().take(MAX_ROWS).map(|(experiment, resource)| {
        [
            html! { (clip(resource.name.as_str())) span.soft.small { (components::link(experiment.name())) } },
            html! { (components::state(experiment.state)) span.soft.small { (words::since(experiment.view.since, now)) } (components::mismatch(experiment)) },
            html! { (clip(&resource.reason)) },
            components::needed(experiment, now),
        ]
    });
    html! {
        @if all.is_empty() { (components::none("None.")) }
        @else {
            (components::table("Withdrawn by labwatch", ["Resource", "Health", "What students read", "Needed"], rows))
            (components::more(all.len()))
        }
    }
}

/// The link to a command about one thing, where the reader may give it.
fn order(frame: &Frame<'_>, kind: Kind, field: &str, of: &str) -> Markup {
    html! {
        @if frame.acts { a.action href=(kind.address(&[(field, of)])) { (kind.verb()) span.unseen { " " (clip(of)) } } }
    }
}

fn notes(frame: &Frame<'_>) -> Markup {
    let now = frame.now;
    let rows = frame.snapshot.notes.iter().take(MAX_ROWS).map(|note| {
        let until = note.next.map(|next| next.until).or_else(|| note.entry.over_at());
        let from = note.next.map_or_else(|| note.entry.since(), |next| next.from);
        [
            html! { (clip(&note.entry.about())) },
            html! { (note.entry.noun()) @if !note.active { span.soft { " not now" } } (weekly(&note.entry)) },
            words::time(from, now),
            until.map_or_else(|| html! { (ends_with(note)) }, |until| words::time(until, now)),
            html! { @if frame.private { (clip(note.entry.text())) span.soft { " (" (clip(note.entry.who())) ")" } } @else { span.soft { "for readers who are signed in" } } },
            html! { @if let Some(id) = note.id { (order(frame, Kind::End, "id", &id.to_string())) } @else { span.soft { (place(note)) } } },
        ]
    });
    html! { (components::rows_or_none("None.", "Acknowledgements, silences and maintenance windows", ["What", "How", "From", "Until", "Why", "Do"], rows)) }
}

/// What ends a suppression without an end time.
fn ends_with(note: &NoteView) -> &'static str {
    match (note.entry.kind(), note.id) {
        (SuppressionKind::Acknowledged, None) => "it is taken back in etcd",
        (
            SuppressionKind::Acknowledged
            | SuppressionKind::Silenced
            | SuppressionKind::Maintenance,
            _,
        ) => "it is ok again",
    }
}

/// Where to end a suppression that cannot be ended here.
fn place(note: &NoteView) -> &'static str {
    match note.entry.kind() {
        SuppressionKind::Acknowledged => "in etcd",
        SuppressionKind::Silenced | SuppressionKind::Maintenance => "in the configuration",
    }
}

/// When maintenance recurs, if it does.
fn weekly(entry: &SuppressionEntry) -> Markup {
    html! {
        @match entry {
            SuppressionEntry::Maintenance(Maintenance { schedule: Schedule::Weekly(weekly), .. }) => span.soft.small { (weekly) },
            SuppressionEntry::Maintenance(_) | SuppressionEntry::Acknowledgement(_) | SuppressionEntry::Silence(_) => {},
        }
    }
}

fn ended(holds: &[Hold], now: Timestamp) -> Markup {
    let ended: Vec<_> = holds
        .iter()
        .filter_map(|hold| Some((hold, hold.until?)))
        .take(MAX_ROWS)
        .collect();
    let rows = ended.iter().map(|(hold, until)| {
        [
            html! { (clip(hold.resource.as_str())) },
            words::stamp(hold.since, now),
            words::stamp(*until, now),
            html! { (words::spell_between(hold.since, *until)) },
            html! { (clip(&hold.reason)) },
        ]
    });
    html! { (components::rows_or_none("None in the last 30 days.", "Ended holds, newest first", ["Resource", "From", "Until", "For", "Reason"], rows)) }
}
