//! The stream of changes as server-sent events: one connection for each listener, which holds a place and no copy of anything.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use serde::Serialize;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use utoipa::ToSchema;

use super::diff::Gone;
use super::lab::{Counts, Source};
use super::live::{Listener, Next, Reset, json};
use super::params::Params;
use super::summary::Line;
use super::time::Timestamp;
use crate::http::error::{ApiError, Reason};
use crate::http::server::Seat;
use crate::http::state::Served;

/// How often a listener hears that the connection lives.
pub const PING_EVERY: Duration = Duration::from_secs(15);

/// What a browser is told first: how long to wait before it comes back, in milliseconds.
const RETRY: &[u8] = b"retry: 2000\n\n";

/// An event of the stream: its kind (`event`), and its data in JSON (`data`).
#[derive(ToSchema)]
#[serde(tag = "event", content = "data", rename_all = "kebab-case")]
#[expect(dead_code, reason = "it documents what `differ` and `live` write")]
pub(super) enum StreamEvent {
    /// An experiment is new or other than before.
    Experiment(Line<'static>),
    /// An experiment is forgotten.
    Gone(Gone<'static>),
    /// How many experiments are in which state, when that is other than before.
    Counts(Counts),
    /// All sources, when one is other than before.
    Sources(Vec<Source>),
    /// The list has to be read anew.
    Reset(Reset),
    /// The connection lives. Has no id.
    Ping(Ping),
}

/// What a listener is told every 15 seconds.
#[derive(Serialize, ToSchema)]
pub(super) struct Ping {
    /// The time of the newest snapshot.
    at: Timestamp,
}

/// Changes as they happen, as server-sent events.
///
/// Each event but `ping` has an id. A listener that comes back with `Last-Event-ID` gets what it missed. One that does not read is cut.
/// The first event of a new stream is a `reset`.
#[utoipa::path(get, path = "/api/v2/stream", tag = "now",
    params(("Last-Event-ID" = Option<String>, Header, description = "The id of the event that was seen last; browsers send it by themselves")),
    responses((status = 200, description = "The events, as they come, for at most an hour", content_type = "text/event-stream", body = StreamEvent)))]
pub(super) async fn stream(
    State(served): State<Arc<Served>>,
    RawQuery(query): RawQuery,
    seat: Option<Extension<Seat>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    Params::parse(query.as_deref(), &[])?;
    let full = || {
        ApiError::new(
            Reason::Busy,
            "too many listen already, or labwatch is stopping: try again in a moment",
        )
    };
    let listener = served
        .live
        .listen(seat.map(|Extension(seat)| seat))
        .ok_or_else(full)?;
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let first = [Some(Bytes::from_static(RETRY)), listener.start(seen)]
        .into_iter()
        .flatten()
        .flatten()
        .collect();
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // Proxies are asked not to gather events.
        (
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        ),
        (CONNECTION, HeaderValue::from_static("close")),
    ];
    Ok((headers, Body::from_stream(notified(listener, first))).into_response())
}

/// What a listener is told, from the first words until it lags too far behind or labwatch stops.
fn notified(listener: Listener, first: Bytes) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let mut pings = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    stream::unfold(
        (listener, pings, Some(first)),
        async |(mut listener, mut pings, first)| {
            let words = match first {
                Some(first) => first,
                None => more(&mut listener, &mut pings).await?,
            };
            Some((Ok(words), (listener, pings, None)))
        },
    )
}

/// What comes next; `None` when that is nothing any more.
async fn more(listener: &mut Listener, pings: &mut Interval) -> Option<Bytes> {
    loop {
        match listener.next() {
            Next::Changes(changes, _) => return Some(changes),
            Next::Lost => return None,
            Next::Nothing => {}
        }
        tokio::select! {
            biased;
            () = listener.live.ended() => return None,
            changed = listener.latest.changed() => changed.ok()?,
            _ = pings.tick() => return Some(ping(listener)),
        }
    }
}

fn ping(listener: &Listener) -> Bytes {
    let at = listener.live.snapshot().at.into();
    format!("event: ping\ndata: {}\n\n", json(&Ping { at })).into()
}
