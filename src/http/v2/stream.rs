//! The stream of changes as server-sent events: one connection for each listener, which holds a
//! place and no copy of the data.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::IntoResponse;
use futures_util::stream::{self, Stream};
use serde::Serialize;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep};
use utoipa::ToSchema;

use super::diff::Gone;
use super::lab_forms::{Counts, Source};
use super::live::{Listener, Next, Reset, json};
use super::params::NoParams;
use super::summary::Line;
use super::time::Timestamp;
use crate::http::auth::authenticator::Validity;
use crate::http::auth::client::Client;
use crate::http::error::{ApiError, ApiResult, Reason};
use crate::http::seat::Seat;
use crate::http::served::Served;

/// How often a listener gets a sign of life.
pub const PING_EVERY: Duration = Duration::from_secs(15);

/// The first data of a stream: how long a browser waits before it reconnects, in milliseconds.
const RETRY: &[u8] = b"retry: 2000\n\n";

/// An event of the stream: its kind (`event`), and its data in JSON (`data`).
#[derive(ToSchema)]
#[serde(tag = "event", content = "data", rename_all = "kebab-case")]
#[expect(dead_code, reason = "it documents what `differ` and `live` write")]
pub(super) enum StreamEvent {
    /// An experiment is new or has changed.
    Experiment(Line<'static>),
    /// An experiment was removed.
    Gone(Gone<'static>),
    /// The number of experiments by state, when it has changed.
    Counts(Counts),
    /// All sources, when one has changed.
    Sources(Vec<Source>),
    /// The list must be read anew.
    Reset(Reset),
    /// The connection is alive. Has no id.
    Ping(Ping),
}

/// The sign of life that a listener gets every 15 seconds.
#[derive(Serialize, ToSchema)]
pub(super) struct Ping {
    /// The time of the newest snapshot.
    at: Timestamp,
}

/// Changes as they happen, as server-sent events.
///
/// Each event but `ping` has an id. A listener that reconnects with `Last-Event-ID` gets what it
/// missed. One that does not read is disconnected. The first event of a new stream is a `reset`.
#[utoipa::path(get, path = "/api/v2/stream", tag = "now",
    params(("Last-Event-ID" = Option<String>, Header, description = "The id of the event that was received last; browsers send it by themselves")),
    responses((status = 200, description = "The events as they occur, for at most an hour, and no longer than the token or session is valid", content_type = "text/event-stream", body = StreamEvent)))]
pub(super) async fn stream(
    State(served): State<Arc<Served>>,
    _: NoParams,
    seat: Option<Extension<Seat>>,
    client: Option<Extension<Client>>,
    validity: Option<Extension<Validity>>,
    headers: HeaderMap,
) -> ApiResult {
    let full = || {
        ApiError::new(
            Reason::Busy,
            "too many listen already, or labwatch is stopping: try again in a moment",
        )
    };
    let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let address = client.map_or(unknown, |Extension(client)| client.address);
    let listener = served
        .live
        .listen(address, seat.map(|Extension(seat)| seat))
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
        // Asks proxies not to buffer events.
        (
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        ),
        (CONNECTION, HeaderValue::from_static("close")),
    ];
    let reader = Reader {
        listener,
        pings: pings(),
        validity: validity.map(|Extension(validity)| validity),
    };
    Ok((headers, Body::from_stream(events_for(reader, first))).into_response())
}

/// The state of a listener between two events.
struct Reader {
    listener: Listener,
    pings: Interval,
    validity: Option<Validity>,
}

fn pings() -> Interval {
    let mut pings = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings
}

/// The events for a listener, until it lags too far behind, its token or session ends, or labwatch
/// stops.
fn events_for(reader: Reader, first: Bytes) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold((reader, Some(first)), async |(mut reader, first)| {
        let words = match first {
            Some(first) => first,
            None => reader.more().await?,
        };
        Some((Ok(words), (reader, None)))
    })
}

impl Reader {
    /// The next data; `None` at the end.
    async fn more(&mut self) -> Option<Bytes> {
        loop {
            if !self.still_holds() {
                return None;
            }
            let validity = self.validity.as_ref();
            let lasts = validity.and_then(|validity| validity.lasts(jiff::Timestamp::now()));
            match self.listener.next() {
                Next::Changes(changes, _) => return Some(changes),
                Next::Lost => return None,
                Next::Nothing => {}
            }
            tokio::select! {
                biased;
                () = self.listener.live.ended() => return None,
                () = ended(lasts) => return None,
                changed = self.listener.latest.changed() => changed.ok()?,
                _ = self.pings.tick() => return self.still_holds().then(|| ping(&self.listener)),
            }
        }
    }

    fn still_holds(&self) -> bool {
        let now = jiff::Timestamp::now();
        self.validity
            .as_ref()
            .is_none_or(|validity| validity.holds(now))
    }
}

/// Waits for this long, or for ever.
async fn ended(lasts: Option<Duration>) {
    match lasts {
        Some(lasts) => sleep(lasts).await,
        None => std::future::pending().await,
    }
}

fn ping(listener: &Listener) -> Bytes {
    let at = listener.live.snapshot().at.into();
    format!("event: ping\ndata: {}\n\n", json(&Ping { at })).into()
}
