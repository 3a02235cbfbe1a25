//! The notifications that were sent, and those that wait.

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
                Some(Ok(rows)) if rows.is_empty() => (components::none("No notifications.")),
                Some(Ok(rows)) => (list(frame, rows)),
            }
        }
    }
}

/// The routes, and whether notifications get through.
fn routes(frame: &Frame<'_>) -> Markup {
    let now = frame.now;
    let rows = frame.snapshot.routes.iter().map(|route| {
        let (shape_of, as_str) = if route.failures > 0 { ("down", "failing") } else { ("ok", "ok") };
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
        @if frame.snapshot.routes.is_empty() { (components::none("No route is configured (email_to, or [[route]]): labwatch sends no notifications.")) }
        @else { (components::table("Routes", ["Route", "Channel", "State", "Last sent", "Waiting", "Last failure"], rows)) }
    }
}

/// A text that may hold addresses of people.
fn private(text: Option<&String>) -> String {
    text.map_or_else(|| "sign in to read it".to_owned(), |text| clip(text))
}

fn list(frame: &Frame<'_>, outgoing: &[OutboxRow]) -> Markup {
    let now = frame.now;
    let rows = outgoing.iter().take(MAX_ROWS).map(|row| {
        [
            words::stamp(row.created, now),
            html! { (clip(&row.route)) },
            components::marked(shape_of(row.state), row.state.as_str()),
            html! { (words::count(row.attempts as usize, "time")) @if let Some(tried) = row.tried { ", last " (words::ago(tried, now)) } },
            html! { @if let Some(error) = &row.last_error { (private(error.show(frame.visibility))) } @else { "–" } },
        ]
    });
    html! {
        (components::table("Notifications, newest first", ["Created", "Route", "State", "Attempts", "Last failure"], rows))
        @if outgoing.iter().any(|row| row.state == OutboxState::Superseded) {
            p.soft { "superseded: not sent, because a newer notification says it, or because its route was changed." }
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
