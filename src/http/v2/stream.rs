//! The stream of changes as server-sent events: one connection for each listener, which holds a place and no copy of anything.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use jiff::Timestamp;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep};

use super::live::{Listener, Next};
use super::params::Params;
use crate::http::authenticator::Validity;
use crate::http::client::Client;
use crate::http::error::{self, ApiError};
use crate::http::routes::Served;
use crate::http::server::Seat;

/// How often a listener hears that the connection lives.
pub const PING_EVERY: Duration = Duration::from_secs(15);

/// What a browser is told first: how long to wait before it comes back, in milliseconds.
const RETRY: &[u8] = b"retry: 2000\n\n";

/// Changes as they happen, as server-sent events.
///
/// `experiment`: an experiment is new or other than before; its data is as in the list. `gone`: it is forgotten; `{"name": ...}`.
/// `counts`: as `experiments` of `/api/v2/lab`. `sources`: as `/api/v2/sources`, when one is other than before.
/// `reset`: read the list anew, because the stream begins (`start`), what came meanwhile is no longer kept (`too-old`), or too much
/// changed at once (`too-much`); changes behind it follow. `ping`: every 15 seconds, with the time of the newest picture.
///
/// Each event but `ping` has an id. A listener that comes back with `Last-Event-ID` gets what it missed. One that does not read is cut.
#[utoipa::path(
    get,
    path = "/api/v2/stream",
    tag = "now",
    params(("Last-Event-ID" = Option<String>, Header, description = "The id of the event that was seen last; browsers send it by themselves")),
    responses(
        (status = 200, description = "The events, as they come, for at most an hour, and no longer than the token or session that asked", content_type = "text/event-stream", body = String),
        (status = 400, description = "There are no parameters here", body = ApiError),
        (status = 503, description = "Too many listen already", body = ApiError),
    )
)]
pub(in crate::http) async fn stream(
    State(served): State<Arc<Served>>,
    RawQuery(query): RawQuery,
    seat: Option<Extension<Seat>>,
    client: Option<Extension<Client>>,
    validity: Option<Extension<Validity>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    Params::parse(query.as_deref(), &[])?;
    let full = || {
        error::unavailable(
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
        // Proxies are asked not to gather events.
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
    Ok((headers, Body::from_stream(notified(reader, first))).into_response())
}

/// A listener with what it needs from one event to the next.
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

/// What a listener is told, from the first words until it lags too far behind, its token or session ends, or labwatch stops.
fn notified(reader: Reader, first: Bytes) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold((reader, Some(first)), async |(mut reader, first)| {
        let words = match first {
            Some(first) => first,
            None => reader.more().await?,
        };
        Some((Ok(words), (reader, None)))
    })
}

impl Reader {
    /// What comes next; `None` when that is nothing any more.
    async fn more(&mut self) -> Option<Bytes> {
        loop {
            let now = Timestamp::now();
            let (holds, lasts) = match &self.validity {
                Some(validity) => (validity.holds(now), validity.lasts(now)),
                None => (true, None),
            };
            if !holds {
                return None;
            }
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
        let now = Timestamp::now();
        self.validity
            .as_ref()
            .is_none_or(|validity| validity.holds(now))
    }
}

/// Waits until what lasts so long is over.
async fn ended(lasts: Option<Duration>) {
    match lasts {
        Some(lasts) => sleep(lasts).await,
        None => std::future::pending().await,
    }
}

fn ping(listener: &Listener) -> Bytes {
    format!(
        "event: ping\ndata: {{\"at\":\"{}\"}}\n\n",
        listener.live.snapshot().at
    )
    .into()
}
