//! What went out to people, and what still waits to go.

use maud::{Markup, html};

use super::components;
use super::filter::MAX_ROWS;
use super::history::Told;
use super::layout::Frame;
use super::words::{self, clip};
use crate::store::{OutboxRow, OutboxState};

/// The page.
pub(super) fn page(frame: &Frame<'_>, rows: Option<&Told<Vec<OutboxRow>>>) -> Markup {
    html! {
        h1 { "Outbox" }
        (routes(frame))
        section #part-sent aria-labelledby="sent" {
            h2 #sent { "The last 30 days" }
            @match rows {
                None => (components::none("No history is kept (data_dir is none).")),
                Some(Err(error)) => (components::none(&format!("The history cannot be shown now: {error}."))),
                Some(Ok(rows)) if rows.is_empty() => (components::none("Nothing was to be sent.")),
                Some(Ok(rows)) => (list(frame, rows)),
            }
        }
    }
}

/// The ways to people, as they stand.
fn routes(frame: &Frame<'_>) -> Markup {
    let now = frame.now;
    let rows = frame.snapshot.routes.iter().map(|route| {
        let (shape_of, as_str) = match (route.failures, route.unreached.len()) {
            (0, 0) => ("ok", "works"),
            (0, _) => ("degraded", "not for all"),
            _ => ("down", "fails"),
        };
        let waiting = route.waiting_since.map_or_else(|| html! { "nothing" }, |waiting| words::since(waiting, now));
        [
            html! { (clip(route.name.as_str())) },
            html! { (route.channel.as_str()) },
            components::marked(shape_of, as_str),
            words::ago_or_never(route.last_sent, now),
            waiting,
            html! { @if let Some(fault) = &route.fault { (private(Some(&fault.words(frame.visibility)).filter(|_| frame.private))) } @else { "–" } },
        ]
    });
    html! {
        @if frame.snapshot.routes.is_empty() { (components::none("Nobody is told: no address is set (email_to).")) }
        @else { (components::table("Ways to people", ["Route", "By", "State", "Last told", "Waits", "The last failure"], rows)) }
        (unreached(frame))
    }
}

/// The recipients who do not have what the others have.
fn unreached(frame: &Frame<'_>) -> Markup {
    let now = frame.now;
    let routes = frame.snapshot.routes.iter();
    let all = routes.flat_map(|route| route.unreached.iter().map(move |one| (route, one)));
    let rows: Vec<_> = all
        .take(MAX_ROWS)
        .map(|(route, one)| {
            let who = one.recipient.show(frame.visibility).map(str::to_owned);
            let next = if one.refused { "with the next message" } else { "again" };
            [
                html! { (private(who.as_ref())) },
                html! { (clip(route.name.as_str())) },
                words::since(one.since, now),
                html! { (private(Some(&one.fault.words(frame.visibility)).filter(|_| frame.private))) },
                html! { (next) },
            ]
        })
        .collect();
    html! {
        @if !rows.is_empty() {
            (components::table("Recipients who are not reached", ["Recipient", "Route", "Since", "Why", "Tried"], rows.into_iter()))
        }
    }
}

/// A text that may hold addresses of people.
fn private(text: Option<&String>) -> String {
    text.map_or_else(|| "is for those who sign in".to_owned(), |text| clip(text))
}

fn list(frame: &Frame<'_>, outgoing: &[OutboxRow]) -> Markup {
    let now = frame.now;
    let rows = outgoing.iter().take(MAX_ROWS).map(|row| {
        [
            words::ago(row.created, now),
            html! { (clip(&row.route)) },
            components::marked(shape_of(row.state), row.state.as_str()),
            html! { (words::count(row.attempts as usize, "time")) @if let Some(tried) = row.tried { ", last " (words::ago(tried, now)) } },
            html! { @if let Some(error) = &row.last_error { (private(error.show(frame.visibility))) } @else { "–" } },
        ]
    });
    html! {
        (components::table("What was to be sent, newest first", ["Put together", "Route", "State", "Tried", "The last failure"], rows))
        @if outgoing.iter().any(|row| row.state == OutboxState::Superseded) {
            p.soft { "superseded: it was not sent, because a newer message tells it, or its route does not tell of it any more." }
        }
        @if outgoing.len() > MAX_ROWS { p.soft { (outgoing.len() - MAX_ROWS) " older ones." } }
    }
}

/// The shape for how a message stands.
pub(super) fn shape_of(state: OutboxState) -> &'static str {
    match state {
        OutboxState::Sent => "ok",
        OutboxState::Pending => "degraded",
        OutboxState::Refused => "down",
        OutboxState::Superseded => "unknown",
    }
}
