//! The laboratory as it is now: its summary and its sources.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::params::Params;
use crate::http::auth::Viewer;
use crate::http::error::ApiError;
use crate::http::routes::{Served, answer};
use engine::model::{CallError, SourceName, Visibility};
use engine::{self, Cause, Link, PoolView, Role, RouteView, Severity, Snapshot, SourceView};

/// How the whole laboratory is.
#[derive(Debug, Serialize, ToSchema)]
struct Lab {
    /// The version of labwatch.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// When this process started.
    started: Timestamp,
    /// The moment that this answer tells of.
    at: Timestamp,
    /// Whether this replica acts (`leader`) or only watches (`follower`).
    #[schema(example = "leader")]
    role: &'static str,
    /// How many experiments are in which state.
    experiments: Counts,
    /// How many pools there are.
    pools: usize,
    /// How many of them have less left than is booked within 24 h.
    short_pools: usize,
    /// How many resources people hold.
    holds: usize,
    /// How many of those look forgotten.
    overdue_holds: usize,
    /// What the experiments that cannot be used now probably have in common, the earliest first.
    causes: Vec<CommonCause>,
    /// Relay, jump and book, in this order.
    sources: Vec<Source>,
    /// Since when labwatch has heard from no source at all, so that it is probably cut off itself; null when it has not.
    #[schema(required)]
    blind_since: Option<Timestamp>,
    /// Since when book has given an empty manifest; null when it has not.
    #[schema(required)]
    manifest_lost_since: Option<Timestamp>,
    /// The ways to people, in the order of the settings; none when nobody is told.
    routes: Vec<Way>,
    /// Listening to streams.
    sampling: Sampling,
}

/// How many experiments are in which state.
#[derive(Debug, PartialEq, Eq, Clone, Copy, Serialize, ToSchema)]
pub(super) struct Counts {
    /// All of them.
    total: usize,
    /// Those that are ok.
    ok: usize,
    /// Those that are usable, with a loss.
    degraded: usize,
    /// Those that come and go too often.
    flapping: usize,
    /// Those that are down.
    down: usize,
    /// Those that are not judged.
    unknown: usize,
    /// Those of which a monitor withdrew a resource.
    withdrawn: usize,
    /// Those of which a person holds a resource.
    held: usize,
    /// Those that book does not list.
    unlisted: usize,
    /// Those that somebody acknowledged as bad.
    acknowledged: usize,
    /// Those of which mail is silenced, or that are worked on.
    silenced: usize,
    /// Those whose health and bookability do not fit together.
    mismatched: usize,
}

impl Counts {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let engine::Counts {
            total,
            ok,
            degraded,
            flapping,
            down,
            unknown,
            withdrawn,
            held,
            unlisted,
            acknowledged,
            silenced,
        } = snapshot.counts;
        let mismatched = snapshot
            .experiments
            .iter()
            .filter(|view| view.mismatch().is_some())
            .count();
        Self {
            total,
            ok,
            degraded,
            flapping,
            down,
            unknown,
            withdrawn,
            held,
            unlisted,
            acknowledged,
            silenced,
            mismatched,
        }
    }
}

/// Losses that probably have one cause.
#[derive(Debug, Serialize, ToSchema)]
struct CommonCause {
    /// What they have in common: an `address`, a `subnet`, or the `stem` of their names.
    #[schema(example = "stem")]
    kind: String,
    /// It, in words. Of addresses only the network where the reader may not see them.
    #[schema(example = "pend*")]
    label: String,
    /// The experiments, sorted.
    #[schema(example = json!(["pend00", "pend01", "pend02"]))]
    experiments: Vec<String>,
    /// How many experiments share it, those lost before and those of another cause left out.
    of: usize,
    /// When the first of them was lost.
    began: Timestamp,
}

/// A way to people.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Route)]
struct Way {
    /// Its name.
    #[schema(example = "mail")]
    name: String,
    /// How it is notified: `mail`, `webhook`, `alertmanager`, `slack`, `teams`, `matrix` or `ntfy`.
    #[schema(example = "mail")]
    channel: &'static str,
    /// When a message last arrived, since the start; null for never.
    #[schema(required)]
    last_sent: Option<Timestamp>,
    /// Since when there is something to tell that has not been told; null when there is nothing.
    #[schema(required)]
    waiting_since: Option<Timestamp>,
    /// Why the last attempt failed, in one word; null when it did not.
    #[schema(required)]
    fault: Option<&'static str>,
    /// How many attempts failed in a row.
    failures: u32,
    /// When what waits was refused for good; null when it was not.
    #[schema(required)]
    refused: Option<Timestamp>,
}

impl Way {
    fn new(view: &RouteView) -> Self {
        Self {
            name: view.name.to_string(),
            channel: view.channel.as_str(),
            last_sent: view.last_sent,
            waiting_since: view.waiting_since,
            fault: view.fault.as_ref().map(CallError::as_str),
            failures: view.failures,
            refused: view.refused,
        }
    }
}

/// Listening to streams.
#[derive(Debug, Serialize, ToSchema)]
struct Sampling {
    /// How many streams are listened to; 0 when relay's statistics make it needless or it is off.
    streams: usize,
    /// How long one round over all of them takes at the present speed, in seconds.
    round_seconds: f64,
    /// Whether that is often enough.
    keeps_up: bool,
    /// How many samples failed in a row; while they fail, connected counts as active.
    failures: u32,
}

/// How the whole laboratory is: what a page's head or a wall needs.
#[utoipa::path(
    get,
    path = "/api/v2/lab",
    tag = "now",
    responses(
        (status = 200, description = "The summary", body = Lab),
        (status = 400, description = "There are no parameters here", body = ApiError),
    )
)]
pub(in crate::http) async fn lab(
    State(served): State<Arc<Served>>,
    RawQuery(query): RawQuery,
    Viewer(sight): Viewer,
) -> Result<Response, ApiError> {
    Params::parse(query.as_deref(), &[])?;
    let snapshot = served.snapshot();
    let short = |pool: &&PoolView| matches!(pool.standing.severity, Severity::Short { .. });
    answer(&Lab {
        version: env!("CARGO_PKG_VERSION"),
        started: snapshot.started,
        at: snapshot.at,
        role: match snapshot.role {
            Role::Leader => "leader",
            Role::Follower => "follower",
        },
        experiments: Counts::of(&snapshot),
        pools: snapshot.standings.len(),
        short_pools: snapshot.standings.iter().filter(short).count(),
        holds: snapshot.holds.len(),
        overdue_holds: snapshot.holds.iter().filter(|hold| hold.overdue).count(),
        causes: snapshot
            .causes
            .iter()
            .map(|cause| CommonCause::new(cause, sight))
            .collect(),
        sources: Source::all(&snapshot, sight),
        blind_since: snapshot.blind,
        manifest_lost_since: snapshot.manifest_lost,
        routes: snapshot.routes.iter().map(Way::new).collect(),
        sampling: Sampling {
            streams: snapshot.sampling.streams,
            round_seconds: snapshot.sampling.round.as_secs_f64(),
            keeps_up: snapshot.sampling.keeps_up,
            failures: snapshot.sampling.failures,
        },
    })
}

impl CommonCause {
    fn new(cause: &Cause, sight: Visibility) -> Self {
        Self {
            kind: cause.kind.to_string(),
            label: if let Some(label) = cause.label_private.show(sight) {
                label.clone()
            } else {
                cause.label_public.clone()
            },
            experiments: cause.stubs.iter().map(ToString::to_string).collect(),
            of: cause.of,
            began: cause.began.wall(),
        }
    }
}

/// A source: a server that labwatch learns from.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Source {
    /// Which: `relay`, `jump` or `book`.
    #[schema(example = "relay")]
    name: &'static str,
    /// How it is: `starting`, `live`, `late` (slower than its pace explains) or `down` (what it told is void).
    #[schema(example = "live")]
    health: &'static str,
    /// Since when.
    since: Timestamp,
    /// When it last told something; null for never.
    #[schema(required)]
    last_report: Option<Timestamp>,
    /// The longest time between its recent reports, in seconds; null when there were not enough.
    #[schema(required)]
    pace_seconds: Option<f64>,
    /// The connection: `connecting`, `open`, `failed` or `closed`. Book is polled, and its connection is not told.
    #[schema(example = "open")]
    link: &'static str,
    /// Why the connection failed, or why nothing can be learnt from it, in one word; null when that is not so.
    #[schema(required)]
    fault: Option<&'static str>,
    /// What is wrong and what to do, also in the server's words; empty when nothing is. Null for readers who may not see those.
    #[schema(required)]
    note: Option<String>,
    /// When the server started, in its own words; null when it does not tell.
    #[schema(required)]
    server_started: Option<String>,
    /// How many experiments are not judged, or not wholly, because of it.
    hides: usize,
}

impl Source {
    pub(super) fn all(snapshot: &Snapshot, sight: Visibility) -> Vec<Self> {
        SourceName::ALL
            .into_iter()
            .map(|name| Self::new(snapshot.source(name), sight))
            .collect()
    }

    fn new(source: &SourceView, sight: Visibility) -> Self {
        let (link, fault) = match &source.link {
            Link::Connecting => ("connecting", None),
            Link::Open => ("open", None),
            Link::Unreadable(_) => ("open", Some("unreadable")),
            Link::Failed(failure) => ("failed", Some(failure.error.as_str())),
            Link::Broken(_) => ("closed", Some("unreadable")),
            Link::Closed(_) | Link::GivenUp => ("closed", None),
        };
        Self {
            name: source.name.as_str(),
            health: source.health.as_str(),
            since: source.since,
            last_report: source.last_report,
            pace_seconds: source.pace.map(|pace| pace.as_secs_f64()),
            link,
            fault,
            note: source.said.show(sight).cloned(),
            server_started: source.server_started.clone(),
            hides: source.hides,
        }
    }

    /// How it is, without the time of its newest report, which changes all the time.
    pub(super) fn standing(&self) -> (&'static str, &'static str, usize) {
        (self.health, self.link, self.hides)
    }
}

/// Relay, jump and book: what labwatch learns from, in this order.
#[utoipa::path(
    get,
    path = "/api/v2/sources",
    tag = "now",
    responses(
        (status = 200, description = "The sources", body = Vec<Source>),
        (status = 400, description = "There are no parameters here", body = ApiError),
    )
)]
pub(in crate::http) async fn sources(
    State(served): State<Arc<Served>>,
    RawQuery(query): RawQuery,
    Viewer(sight): Viewer,
) -> Result<Response, ApiError> {
    Params::parse(query.as_deref(), &[])?;
    answer(&Source::all(&served.snapshot(), sight))
}
