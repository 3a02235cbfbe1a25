//! What cannot be booked, by whose word: the holds of people, and what labwatch withdrew.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maud::{Markup, html};

use super::filter::MAX_ROWS;
use super::history::Told;
use super::layout::Frame;
use super::orders::{self, Kind};
use super::parts;
use super::view::{self, Experiment};
use super::words::{self, clip};
use crate::engine::QuietId;
use crate::model::Bookable;
use crate::store::Hold;

/// The page. `past` holds the holds that are remembered, newest first.
pub(super) fn page(frame: &Frame<'_>, past: Option<&Told<Vec<Hold>>>) -> Markup {
    let remembered = past.and_then(|past| past.as_ref().ok()).map(Vec::as_slice).unwrap_or_default();
    let since: BTreeMap<&str, Timestamp> =
        remembered.iter().filter(|hold| hold.until.is_none()).map(|hold| (hold.resource.as_str(), hold.since)).collect();
    html! {
        h1 { "Holds and silences" }
        @if frame.acts { (parts::actions(&orders::at_large())) }
        @else { (parts::sign_in(frame, "/holds", "hold, acknowledge, silence or plan maintenance")) }
        section #part-people aria-labelledby="people" {
            h2 #people { "Held by a person" }
            p.soft { "A person withdrew these in book. labwatch never touches them; whoever holds them gives them back." }
            (list(frame, Bookable::Held, &since))
        }
        section #part-ours aria-labelledby="ours" {
            h2 #ours { "Withdrawn by labwatch" }
            p.soft { "labwatch gives these back by itself as soon as they work." }
            (list(frame, Bookable::Withdrawn, &since))
        }
        section #part-quiet aria-labelledby="quiet" {
            h2 #quiet { "Kept quiet" }
            p.soft { "What maintainers acknowledged or silenced, and when they work. People are not told of it until it ends." }
            (notes(frame))
        }
        section #part-past aria-labelledby="past" {
            h2 #past { "Ended holds" }
            @match past {
                None => (parts::none("No history is kept (data_dir is none).")),
                Some(Err(error)) => (parts::none(&format!("The history cannot be shown now: {error}."))),
                Some(Ok(holds)) => (ended(holds, frame.now)),
            }
        }
    }
}

fn list(frame: &Frame<'_>, kind: Bookable, since: &BTreeMap<&str, Timestamp>) -> Markup {
    let now = frame.now;
    let all = view::experiments(frame.snapshot)
        .flat_map(|experiment| experiment.view.resources.iter().map(move |resource| (experiment, resource)))
        .filter(|(_, resource)| resource.bookable == Some(kind));
    let all: Vec<_> = all.collect();
    let rows = all.iter().take(MAX_ROWS).map(|(experiment, resource)| {
        let since = since.get(resource.name.as_str());
        [
            parts::link(experiment.name()),
            html! { (parts::state(experiment.state)) " " (parts::mismatch(experiment)) (well(experiment, kind, now)) },
            html! { (clip(resource.name.as_str())) },
            since.map_or_else(|| html! { "–" }, |since| words::ago(*since, now)),
            html! { (clip(&resource.reason)) },
        ]
    });
    html! {
        @if all.is_empty() { (parts::none("None.")) }
        @else {
            (parts::table("Resources", ["Experiment", "Health", "Resource", "Since", "What students read"], rows))
            @if all.len() > MAX_ROWS { p.soft { (all.len() - MAX_ROWS) " more." } }
        }
    }
}

/// A hold on what works may be forgotten.
fn well(experiment: &Experiment<'_>, kind: Bookable, now: Timestamp) -> Markup {
    html! {
        @if kind == Bookable::Held && experiment.state.is_usable() { span.soft.small { (words::since(experiment.view.since, now)) } }
    }
}

fn notes(frame: &Frame<'_>) -> Markup {
    let now = frame.now;
    let rows = frame.snapshot.notes.iter().take(MAX_ROWS).map(|note| {
        let until = note.next.map(|next| next.until).or_else(|| note.entry.over_at());
        let from = note.next.map_or_else(|| note.entry.since(), |next| next.from);
        [
            html! { (clip(&note.entry.about())) },
            html! { (note.entry.noun()) @if !note.active { span.soft { " not now" } } },
            words::time(from, now),
            until.map_or_else(|| html! { "it is well again" }, |until| words::time(until, now)),
            html! { (clip(note.entry.text())) @if frame.private { span.soft { " (" (clip(note.entry.who())) ")" } } },
            ended_by(frame, note.id),
        ]
    });
    html! {
        @if frame.snapshot.notes.is_empty() { (parts::none("Nothing.")) }
        @else { (parts::table("What is kept quiet", ["What", "How", "From", "Until", "Why", "Do"], rows)) }
    }
}

/// The link that ends what keeps quiet, where the reader may and it does not stand in the configuration.
fn ended_by(frame: &Frame<'_>, id: Option<QuietId>) -> Markup {
    html! {
        @if let Some(id) = id.filter(|_| frame.acts) {
            a.action href=(Kind::End.address(&[("id", &id.to_string())])) { "End" span.unseen { " number " (id) } }
        }
    }
}

fn ended(holds: &[Hold], now: Timestamp) -> Markup {
    let ended: Vec<_> = holds.iter().filter_map(|hold| Some((hold, hold.until?))).take(MAX_ROWS).collect();
    let rows = ended.iter().map(|(hold, until)| {
        [
            html! { (clip(hold.resource.as_str())) },
            words::time(hold.since, now),
            words::time(*until, now),
            html! { (words::spell_between(hold.since, *until)) },
            html! { (clip(&hold.reason)) },
        ]
    });
    html! {
        @if ended.is_empty() { (parts::none("None in the last 30 days.")) }
        @else { (parts::table("Ended holds, newest first", ["Resource", "From", "Until", "For", "Reason"], rows)) }
    }
}
