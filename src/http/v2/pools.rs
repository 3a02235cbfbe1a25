//! The pools as they are now, and what people hold.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::params::Params;
use super::summary::Bookings;
use crate::http::error::{self, ApiError};
use crate::http::routes::{Served, answer};
use engine::model::Stub;
use engine::{HoldView, PoolView, Severity, Snapshot};

/// A pool of experiments that can stand in for each other.
#[derive(Debug, Serialize, ToSchema)]
struct Pool<'a> {
    /// Its name.
    #[schema(example = "pend")]
    name: &'a str,
    /// Its experiments, sorted.
    #[schema(example = json!(["pend00", "pend01"]))]
    members: Vec<&'a str>,
    /// How many of them are ok.
    healthy: usize,
    /// How many of them students could use: ok or degraded.
    usable: usize,
    /// How many of them can be booked.
    bookable: usize,
    /// How many are booked at the same time within 24 h, at the busiest.
    booked_at_most: usize,
    /// When that is so for the first time; null when nothing is booked.
    #[schema(required)]
    busiest_at: Option<Timestamp>,
    /// What is left of the usable ones at the busiest time, below zero where some are missing; null when nothing is booked.
    #[schema(required)]
    spare: Option<i64>,
    /// Whether the usable ones are enough: `none-affected` (nothing is booked within 24 h), `spare` or `short`.
    #[schema(example = "spare")]
    severity: &'static str,
    /// When the usable ones are not enough for the first time; null where they are enough.
    #[schema(required)]
    short_at: Option<Timestamp>,
}

impl<'a> Pool<'a> {
    fn new(pool: &'a PoolView) -> Self {
        let (severity, short_at) = match pool.standing.severity {
            Severity::NoneAffected => ("none-affected", None),
            Severity::Spare(_) => ("spare", None),
            Severity::Short { first_at, .. } => ("short", Some(first_at)),
        };
        Self {
            name: &pool.name,
            members: pool.members.iter().map(Stub::as_str).collect(),
            healthy: pool.healthy,
            usable: pool.standing.usable,
            bookable: pool.bookable,
            booked_at_most: pool.standing.peak,
            busiest_at: pool.standing.peak_at,
            spare: pool.standing.severity.spare(),
            severity,
            short_at,
        }
    }
}

/// The pools of experiments that can stand in for each other, sorted by name.
#[utoipa::path(
    get,
    path = "/api/v2/pools",
    tag = "now",
    responses(
        (status = 200, description = "The pools. The ETag changes only when experiments or pools do", body = Vec<Pool<'static>>),
        (status = 304, description = "They are as `If-None-Match` knows them"),
        (status = 400, description = "There are no parameters here", body = ApiError),
    )
)]
pub(in crate::http) async fn pools(
    State(served): State<Arc<Served>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    Params::parse(query.as_deref(), &[])?;
    tagged(&served, &served.snapshot(), &headers, |snapshot| {
        answer(&snapshot.standings.iter().map(Pool::new).collect::<Vec<_>>())
    })
}

/// A pool.
#[utoipa::path(
    get,
    path = "/api/v2/pools/{name}",
    tag = "now",
    params(("name" = String, Path, description = "The pool's name", example = "pend")),
    responses(
        (status = 200, description = "The pool. The ETag changes only when experiments or pools do", body = Pool<'static>),
        (status = 304, description = "It is as `If-None-Match` knows it"),
        (status = 400, description = "There are no parameters here", body = ApiError),
        (status = 404, description = "There is no such pool", body = ApiError),
    )
)]
pub(in crate::http) async fn pool(
    State(served): State<Arc<Served>>,
    name: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Path(name) = name.map_err(|_| error::no_such_path(&uri))?;
    Params::parse(query.as_deref(), &[])?;
    let snapshot = served.snapshot();
    let pool = snapshot
        .pool(&name)
        .ok_or_else(|| error::unknown(format!("pool {name} was not found")))?;
    tagged(&served, &snapshot, &headers, |_| answer(&Pool::new(pool)))
}

/// A resource that a person withdrew in book.
#[derive(Debug, Serialize, ToSchema)]
struct Hold<'a> {
    /// The resource in book.
    #[schema(example = "r-pend00")]
    resource: &'a str,
    /// The reason that the person gave.
    reason: &'a str,
    /// When it was first seen.
    since: Timestamp,
    /// The bookings that cannot start while it lasts.
    blocks: Bookings,
    /// Since when the experiment has been ok; null while it is not.
    #[schema(required)]
    healthy_since: Option<Timestamp>,
    /// Whether it looks forgotten: nobody has touched it for long.
    overdue: bool,
}

impl<'a> Hold<'a> {
    fn new(view: &'a HoldView) -> Self {
        Self {
            resource: view.resource.as_str(),
            reason: &view.hold.reason,
            since: view.hold.since,
            blocks: Bookings::new(view.blocked),
            healthy_since: view.healthy_since,
            overdue: view.overdue,
        }
    }
}

/// What people hold now: first what blocks bookings, the earliest first; then the others, the oldest first.
#[utoipa::path(
    get,
    path = "/api/v2/holds",
    tag = "now",
    responses(
        (status = 200, description = "The holds. The ETag changes only when experiments or holds do", body = Vec<Hold<'static>>),
        (status = 304, description = "They are as `If-None-Match` knows them"),
        (status = 400, description = "There are no parameters here", body = ApiError),
    )
)]
pub(in crate::http) async fn holds(
    State(served): State<Arc<Served>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    Params::parse(query.as_deref(), &[])?;
    tagged(&served, &served.snapshot(), &headers, |snapshot| {
        answer(&snapshot.holds.iter().map(Hold::new).collect::<Vec<_>>())
    })
}

/// The answer, or that the reader has it.
fn tagged(
    served: &Served,
    snapshot: &Snapshot,
    headers: &HeaderMap,
    tell: impl FnOnce(&Snapshot) -> Result<Response, ApiError>,
) -> Result<Response, ApiError> {
    let tag = served.steady_tag(snapshot);
    if tag.is_known(headers) {
        return Ok(tag.unchanged());
    }
    tell(snapshot).map(|answer| tag.on(answer))
}
