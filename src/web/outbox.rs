//! What went out to people, and what still waits to go.

use maud::{Markup, html};

use super::filter::MAX_ROWS;
use super::history::Told;
use super::layout::Frame;
use super::parts;
use super::words::{self, clip};
use crate::store::{OutboxRow, OutboxState};

/// The page.
pub(super) fn page(frame: &Frame<'_>, rows: Option<&Told<Vec<OutboxRow>>>) -> Markup {
    html! {
        h1 { "Outbox" }
        (mail(frame))
        section #part-sent aria-labelledby="sent" {
            h2 #sent { "The last 30 days" }
            @match rows {
                None => (parts::none("No history is kept (data_dir is none).")),
                Some(Err(error)) => (parts::none(&format!("The history cannot be shown now: {error}."))),
                Some(Ok(rows)) if rows.is_empty() => (parts::none("Nothing was to be sent.")),
                Some(Ok(rows)) => (list(frame, rows)),
            }
        }
    }
}

fn mail(frame: &Frame<'_>) -> Markup {
    let (mail, now) = (&frame.snapshot.mail, frame.now);
    html! {
        @if !mail.configured { (parts::none("Mail goes to nobody: no address is set (email_to).")) }
        @else {
            p {
                "Mail last went out: " (words::ago_or_never(mail.last_sent, now)) ". "
                @if let Some(waiting) = mail.waiting_since { "Something waits to be told " (words::since(waiting, now)) ". " }
                @if let Some(fault) = mail.fault.as_ref().filter(|_| mail.failures > 0) {
                    "The last " (words::count(mail.failures as usize, "attempt")) " failed: " (clip(&fault.to_string())) "."
                }
            }
        }
    }
}

fn list(frame: &Frame<'_>, outgoing: &[OutboxRow]) -> Markup {
    let now = frame.now;
    let rows = outgoing.iter().take(MAX_ROWS).map(|row| {
        [
            words::ago(row.created, now),
            html! { (clip(&row.route)) },
            parts::marked(shape_of(row.state), row.state.word()),
            html! { (words::count(row.attempts as usize, "time")) @if let Some(tried) = row.tried { ", last " (words::ago(tried, now)) } },
            html! { @if let Some(error) = &row.last_error { (clip(error)) } @else { "–" } },
        ]
    });
    html! {
        (parts::table("What was to be sent, newest first", ["Put together", "Route", "State", "Tried", "The last failure"], rows))
        @if outgoing.len() > MAX_ROWS { p.soft { (outgoing.len() - MAX_ROWS) " older ones." } }
    }
}

fn shape_of(state: OutboxState) -> &'static str {
    match state {
        OutboxState::Sent => "ok",
        OutboxState::Pending => "degraded",
        OutboxState::Refused => "down",
        OutboxState::Superseded => "unknown",
    }
}
