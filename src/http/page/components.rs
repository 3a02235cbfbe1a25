//! Small parts that several pages share: states with shape and text, tables, empty lists.

use jiff::Timestamp;
use maud::{Markup, Render, html};

use super::answer::Answer;
use super::filter::{MAX_ROWS, address_of};
use super::layout::Frame;
use super::shapes::shape;
use super::state::{Booking, State};
use super::view::{Experiment, Notified};
use super::words::{self, clip};
use crate::http::auth::below;
use engine::Suppression;

/// How many rows of a long table a phone shows at first; the style sheet has the same number.
const FOLDED: usize = 5;

/// A state: shape, name, colour.
pub(super) fn state(state: State) -> Markup {
    html! { span class={ "state is-" (state.as_str()) } { (shape(state.as_str())) (state.as_str()) } }
}

/// Whether something can be booked: shape and text.
pub(super) fn booking(booking: Booking) -> Markup {
    html! { span.booking { (shape(booking.shape())) (booking.words()) } }
}

/// Notes that health and bookability contradict each other, and that it is flapping, where they
/// apply.
pub(super) fn mismatch(experiment: &Experiment<'_>) -> Markup {
    html! {
        @if let Some(words) = experiment.mismatch { span.clash { (shape("clash")) (words) } }
        @if let Some(times) = experiment.unsteady() { " " span.soft.small { "unsteady: down " (times) " times in 24 h" } }
    }
}

/// A link to the page of an experiment.
pub(super) fn link(name: &str) -> Markup {
    html! { a.name href=(address_of("/experiments", name)) { (clip(name)) } }
}

/// Which routes were notified, and when.
pub(super) fn notified(experiment: &Experiment<'_>, now: Timestamp) -> Markup {
    html! {
        @match experiment.notified() {
            Notified::NoRoute => "no route is configured",
            Notified::Routes(routes) => {
                @for (at, notified) in routes.iter().enumerate() {
                    @if at > 0 { ", " }
                    (clip(notified.route.as_str())) " " (words::ago(notified.at, now))
                    @if notified.health != experiment.state { " as " (notified.health) }
                }
            },
            Notified::Waiting(since) => { "not yet: a notification waits " (words::since(since, now)) },
            Notified::NotYet => "not yet",
        }
    }
}

/// The suppression of notifications and its end. Its author and reason are for readers who may see
/// private data.
pub(super) fn suppression(suppression: &Suppression, private: bool, now: Timestamp) -> Markup {
    html! {
        span.suppressed {
            strong { (suppression.kind.as_str()) }
            @if private { " by " (clip(&suppression.by)) }
            @if let Some(until) = suppression.until { " until " (words::time(until, now)) }
            @if private && !suppression.text.is_empty() { ": " (clip(&suppression.text)) }
        }
    }
}

/// The bookings that need it, if any.
pub(super) fn needed(experiment: &Experiment<'_>, now: Timestamp) -> Markup {
    let affected = experiment.affected();
    html! {
        @if affected.in_session { strong { "in session now" } br; }
        @if let Some(start) = affected.first_start.filter(|start| *start > now) {
            strong { "booked in " (words::spell_between(now, start)) } br;
            span.soft { (words::time(start, now)) } br;
        }
        @if affected.next_day > 0 { span.soft { (words::count(affected.next_day, "booking")) " in 24\u{a0}h" } }
        @else if affected.next_week > 0 { span.soft { (words::count(affected.next_week, "booking")) " in 7\u{a0}days" } }
    }
}

/// The commands available to the reader, each a link to a form that first shows its effect.
pub(super) fn actions(orders: &[(String, String)]) -> Markup {
    html! {
        @if !orders.is_empty() {
            ul.actions { @for (words, address) in orders { li { a.action href=(address) { (clip(words)) } } } }
        }
    }
}

/// How a reader without the scope admin can do something. Nothing where commands are off.
pub(super) fn sign_in(frame: &Frame<'_>, next: &str, what: &str) -> Markup {
    let query = below("/login", [("next", next)]);
    html! {
        @if frame.takes_orders { p.soft { "To " (what) ", " a.sign-in href=(query) { "sign in" } " with a token of the scope admin." } }
    }
}

/// A table with a caption for screen readers. The first cell of a row is its header. On a narrow
/// page a row becomes a card, which needs the labels of the cells; the roles keep it a table for
/// screen readers.
pub(super) fn table<const N: usize>(
    caption: &str,
    heads: [&str; N],
    rows: impl Iterator<Item = [Markup; N]>,
) -> Markup {
    let rows: Vec<_> = rows.collect();
    html! {
        // On a phone a long table would be many screens long: it shows the first rows, which are
        // the newest, until this is open.
        @if rows.len() > FOLDED { details.fold { summary { "Show all " (rows.len()) " rows" } } }
        div.scroll {
            table role="table" {
                caption.unseen { (caption) }
                thead role="rowgroup" { tr role="row" { @for head in heads { th scope="col" role="columnheader" { (head) } } } }
                tbody role="rowgroup" {
                    @for row in rows {
                        tr role="row" data-row {
                            @for (at, (head, cell)) in heads.iter().zip(row).enumerate() {
                                @if at == 0 { th scope="row" role="rowheader" { (cell) } }
                                @else { td role="cell" data-label=(head) { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The same; where there is no row, these words.
pub(super) fn rows_or_none<const N: usize>(
    nothing: &str,
    caption: &str,
    heads: [&str; N],
    rows: impl Iterator<Item = [Markup; N]>,
) -> Markup {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return none(nothing);
    }
    table(caption, heads, rows)
}

/// That a list has more than it shows.
pub(super) fn more(length: usize) -> Markup {
    html! { @if length > MAX_ROWS { p.soft { (length - MAX_ROWS) " more." } } }
}

/// A part of a page with its heading; the script finds it by its id.
pub(super) fn section(id: &str, title: &str, content: &Markup) -> Markup {
    html! { section id={ "part-" (id) } aria-labelledby=(id) { h2 id=(id) { (title) } (content) } }
}

/// What the history holds, or why it shows nothing.
pub(super) fn kept<T>(answer: Option<&Answer<T>>, show: impl FnOnce(&T) -> Markup) -> Markup {
    match answer {
        None => none("No history is kept (data_dir is none)."),
        Some(Err(error)) => none(&format!("The history cannot be shown now: {error}.")),
        Some(Ok(found)) => show(found),
    }
}

/// A shape and a text beside it, in the colours of a state.
pub(super) fn marked(shape_of: &str, words: impl Render) -> Markup {
    html! { span class={ "state is-" (shape_of) } { (shape(shape_of)) (words) } }
}

/// The action of a switch.
pub(super) fn switched(available: Option<bool>) -> &'static str {
    match available {
        Some(true) => "given back",
        Some(false) => "withdrawn",
        None => "switched",
    }
}

/// The outcome of a switch, as text.
pub(super) fn outcome(outcome: Option<&str>) -> &'static str {
    match outcome {
        Some("confirmed") => "book confirmed it",
        Some("held") => "a person had held it, nothing was changed",
        Some("gone") => "book did not list it any more",
        Some("failed") => "failed",
        Some(_) | None => "outcome not known",
    }
}

/// The text of an empty list.
pub(super) fn none(words: &str) -> Markup {
    html! { p.none { (words) } }
}
