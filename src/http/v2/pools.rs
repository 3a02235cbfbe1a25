//! The pools now.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use serde::Serialize;
use utoipa::ToSchema;

use super::page::{Page, PageParams, Paging};
use super::params::NoParams;
use super::time::Timestamp;
use super::words::PoolSeverity;
use crate::http::error::{ApiError, ApiResult, Reason};
use crate::http::json::answer;
use crate::http::named::Named;
use crate::http::served::Served;
use engine::model::Stub;
use engine::{PoolView, Severity};

/// A pool of experiments that can replace each other.
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
    /// The most bookings at the same time within 24 h.
    booked_at_most: usize,
    /// When that is first so; null when nothing is booked.
    #[schema(required)]
    busiest_at: Option<Timestamp>,
    /// The usable ones that are left at that time, below zero where some are missing; null when
    /// nothing is booked.
    #[schema(required)]
    spare: Option<i64>,
    /// Whether the usable ones are enough.
    severity: PoolSeverity,
    /// When the usable ones are first not enough; null where they are enough.
    #[schema(required)]
    short_at: Option<Timestamp>,
}

impl<'a> Pool<'a> {
    fn new(pool: &'a PoolView) -> Self {
        let short_at = match pool.standing.severity {
            Severity::NoneAffected | Severity::Spare(_) => None,
            Severity::Short { first_at, .. } => Some(first_at.into()),
        };
        Self {
            name: &pool.name,
            members: pool.members.iter().map(Stub::as_str).collect(),
            healthy: pool.healthy,
            usable: pool.standing.usable,
            bookable: pool.bookable,
            booked_at_most: pool.standing.peak,
            busiest_at: pool.standing.peak_at.map(Timestamp::from),
            spare: pool.standing.severity.spare(),
            severity: pool.standing.severity.into(),
            short_at,
        }
    }
}

/// The pools of experiments that can replace each other.
#[utoipa::path(get, path = "/api/v2/pools", tag = "now", params(PageParams), responses(
    (status = 200, description = "A page, by name", body = Page<Pool<'static>>),
))]
pub(super) async fn list_pools(State(served): State<Arc<Served>>, uri: Uri) -> ApiResult {
    let snapshot = served.snapshot();
    let all = snapshot.standings.iter();
    let all = all.map(|pool| (pool.name.to_string(), Pool::new(pool)));
    Paging::asked(&uri)?.pick(&uri, all).answer(&uri)
}

/// A pool.
#[utoipa::path(get, path = "/api/v2/pools/{name}", tag = "now",
    params(("name" = String, Path, min_length = 1, max_length = 256, description = "The pool's name", example = "pend")), responses(
    (status = 200, description = "The pool", body = Pool<'static>),
))]
pub(super) async fn pool(
    State(served): State<Arc<Served>>,
    Named(name): Named<String>,
    _: NoParams,
) -> ApiResult {
    let snapshot = served.snapshot();
    let nothing = || ApiError::new(Reason::UnknownPool, format!("pool {name} was not found"));
    answer(&Pool::new(snapshot.pool(&name).ok_or_else(nothing)?))
}
