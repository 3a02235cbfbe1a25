//! The laboratory now: its summary and its sources.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use serde::Serialize;
use utoipa::ToSchema;

use super::each;
use super::lab_forms::{Counts, Source};
use super::page::{Page, PageParams, Paging};
use super::params::NoParams;
use super::time::Timestamp;
use super::words::{CauseKind, Channel, Fault, Role};
use crate::http::auth::Viewer;
use crate::http::error::ApiResult;
use crate::http::json::answer;
use crate::http::served::Served;
use engine::model::Visibility;
use engine::{Cause, PoolView, RouteView, Severity, UnreachedView};

/// The state of the whole laboratory.
#[derive(Debug, Serialize, ToSchema)]
struct Lab {
    /// The version of labwatch.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// When this process started.
    started: Timestamp,
    /// The time of the snapshot of this answer.
    at: Timestamp,
    /// Whether this replica acts or only watches.
    role: Role,
    /// Whether it runs in shadow: its decisions are recorded and not carried out.
    shadow: bool,
    /// The number of experiments by state.
    experiments: Counts,
    /// How many pools there are.
    pools: usize,
    /// How many of them have fewer usable experiments than are booked within 24 h.
    short_pools: usize,
    /// The number of manual holds.
    holds: usize,
    /// How many of those may be forgotten.
    overdue_holds: usize,
    /// The probable common causes of the experiments that cannot be used now, the earliest first.
    causes: Vec<CommonCause>,
    /// Relay, jump and book, in this order.
    sources: Vec<Source>,
    /// Since when no source has reported at all, so that labwatch itself is probably cut off; null
    /// when one has.
    #[schema(required)]
    blind_since: Option<Timestamp>,
    /// Since when book has reported an empty manifest; null when it has not.
    #[schema(required)]
    manifest_lost_since: Option<Timestamp>,
    /// The notification routes, in the order of the settings.
    routes: Vec<Way>,
    /// Sampling of streams.
    sampling: Sampling,
}

/// Losses with one probable cause.
#[derive(Debug, Serialize, ToSchema)]
struct CommonCause {
    /// What they have in common.
    kind: CauseKind,
    /// The same as text. Of addresses only the network where the reader may not see them.
    #[schema(example = "pend*")]
    label: String,
    /// The experiments, sorted.
    #[schema(example = json!(["pend00", "pend01", "pend02"]))]
    experiments: Vec<String>,
    /// How many experiments share it, without those lost before and those of another cause.
    of: usize,
    /// When the first of them was lost.
    began: Timestamp,
}

/// A notification route.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Route)]
struct Way {
    /// Its name.
    #[schema(example = "mail")]
    name: String,
    /// Its channel.
    channel: Channel,
    /// When a notification was last delivered, since the start; null for never.
    #[schema(required)]
    last_sent: Option<Timestamp>,
    /// Since when a notification has been pending; null when none is.
    #[schema(required)]
    waiting_since: Option<Timestamp>,
    /// Why the last attempt failed; null when it did not.
    #[schema(required)]
    fault: Option<Fault>,
    /// How many attempts failed in a row.
    failures: u32,
    /// When the pending notification was permanently rejected; null when it was not.
    #[schema(required)]
    refused: Option<Timestamp>,
    /// The recipients who lack notifications that others have, sorted.
    unreached: Vec<Unreached>,
}

/// A recipient of a route to whom delivery fails.
#[derive(Debug, Serialize, ToSchema)]
struct Unreached {
    /// The address; null for readers who may not see it.
    #[schema(required, example = "ann@example.org")]
    recipient: Option<String>,
    /// Since when.
    since: Timestamp,
    /// Why the last attempt failed.
    fault: Fault,
    /// Whether the recipient was permanently rejected, so that only the next notification is tried.
    refused: bool,
}

impl Unreached {
    fn new(view: &UnreachedView, sight: Visibility) -> Self {
        Self {
            recipient: view.recipient.show(sight).map(str::to_owned),
            since: view.since.into(),
            fault: Fault::from(&view.fault),
            refused: view.refused,
        }
    }
}

impl Way {
    fn new(view: &RouteView, sight: Visibility) -> Self {
        let unreached = view.unreached.iter();
        Self {
            name: view.name.to_string(),
            channel: view.channel.into(),
            last_sent: view.last_sent.map(Timestamp::from),
            waiting_since: view.waiting_since.map(Timestamp::from),
            fault: view.fault.as_ref().map(Fault::from),
            failures: view.failures,
            refused: view.refused.map(Timestamp::from),
            unreached: unreached.map(|one| Unreached::new(one, sight)).collect(),
        }
    }
}

/// Sampling of streams.
#[derive(Debug, Serialize, ToSchema)]
struct Sampling {
    /// The number of sampled streams; 0 when relay's statistics make it unnecessary or it is off.
    streams: usize,
    /// How long one round over all of them takes at the present rate, in seconds.
    round_seconds: f64,
    /// Whether that is often enough.
    keeps_up: bool,
    /// How many samples failed in a row; while they fail, connected counts as active.
    failures: u32,
}

/// The state of the whole laboratory, as for a page's head or a wall display.
#[utoipa::path(
    get,
    path = "/api/v2/lab",
    tag = "now",
    responses((status = 200, description = "The summary", body = Lab))
)]
pub(super) async fn lab(
    State(served): State<Arc<Served>>,
    _: NoParams,
    Viewer(sight): Viewer,
) -> ApiResult {
    let snapshot = served.snapshot();
    let short = |pool: &&PoolView| matches!(pool.standing.severity, Severity::Short { .. });
    answer(&Lab {
        version: env!("CARGO_PKG_VERSION"),
        started: snapshot.started.into(),
        at: snapshot.at.into(),
        role: snapshot.role.into(),
        shadow: snapshot.is_shadow,
        experiments: Counts::of(&snapshot),
        pools: snapshot.standings.len(),
        short_pools: snapshot.standings.iter().filter(short).count(),
        holds: snapshot.holds.len(),
        overdue_holds: snapshot.holds.iter().filter(|hold| hold.overdue).count(),
        causes: each(snapshot.causes.iter(), |cause| {
            CommonCause::new(cause, sight)
        }),
        sources: Source::all(&snapshot, sight),
        blind_since: snapshot.blind.map(Timestamp::from),
        manifest_lost_since: snapshot.manifest_lost.map(Timestamp::from),
        routes: each(snapshot.routes.iter(), |route| Way::new(route, sight)),
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
        let label = cause.label_private.show(sight);
        Self {
            kind: cause.kind.into(),
            label: label.unwrap_or(&cause.label_public).clone(),
            experiments: cause.stubs.iter().map(ToString::to_string).collect(),
            of: cause.of,
            began: cause.began.wall().into(),
        }
    }
}

/// The servers that labwatch gets its data from: relay, jump and book, in this order.
#[utoipa::path(get, path = "/api/v2/sources", tag = "now", params(PageParams), responses(
    (status = 200, description = "A page, in this order", body = Page<Source>),
))]
pub(super) async fn list_sources(
    State(served): State<Arc<Served>>,
    Viewer(sight): Viewer,
    uri: Uri,
) -> ApiResult {
    let all = Source::all(&served.snapshot(), sight);
    let all = all.into_iter().enumerate();
    Paging::asked(&uri)?.pick(&uri, all).answer(&uri)
}
