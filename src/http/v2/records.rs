//! What happened in the laboratory: switches, changes of sources, holds, gaps and what was sent, from the history.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::history::range;
use crate::http::auth::Viewer;
use crate::http::error::ApiError;
use crate::http::routes::{Served, answer};
use crate::store::{self, MAX_ROWS, OutboxRow, SourceRow, SwitchRow};
use engine::model::Visibility;

/// A list of switches.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Switches {
    /// The switches, newest first.
    switches: Vec<Switch>,
    /// What `until` has to be for older ones, where there may be some; what happened at that very moment may come twice.
    #[schema(required)]
    next_until: Option<Timestamp>,
}

/// What labwatch did to the availability of a resource in book.
#[derive(Debug, Serialize, ToSchema)]
struct Switch {
    /// When it was decided.
    at: Timestamp,
    /// The resource in book.
    #[schema(example = "r-pend00")]
    resource: String,
    /// The experiment that it is.
    #[schema(example = "pend00")]
    experiment: String,
    /// Whether it was to be available; null when only the outcome is known.
    #[schema(required)]
    available: Option<bool>,
    /// The reason that was written into book, for students.
    reason: String,
    /// What came of it: `confirmed`, `held`, `gone` or `failed`; null when that is not known.
    #[schema(required)]
    outcome: Option<String>,
    /// What book said. Null for readers who may not see it.
    #[schema(required)]
    note: Option<String>,
    /// How long it took, in seconds; null when that is not known.
    #[schema(required)]
    took_seconds: Option<f64>,
}

/// What labwatch did to availabilities in book, newest first, at most 1000.
#[utoipa::path(
    get,
    path = "/api/v2/history/switches",
    tag = "history",
    params(
        ("from" = Option<Timestamp>, Query, description = "From when; 30 days before `until` where it is not given"),
        ("until" = Option<Timestamp>, Query, description = "Until when, itself not included; now where it is not given"),
    ),
    responses(
        (status = 200, description = "The switches", body = Switches),
        (status = 400, description = "A parameter is not known or not understood", body = ApiError),
        (status = 404, description = "labwatch keeps no history", body = ApiError),
        (status = 503, description = "The history does not answer now", body = ApiError),
    )
)]
pub(in crate::http) async fn switches(
    State(served): State<Arc<Served>>,
    RawQuery(query): RawQuery,
    Viewer(sight): Viewer,
) -> Result<Response, ApiError> {
    let range = range(&served, query.as_deref())?;
    let rows = served.past.ask(|reader| reader.switches(range)).await?;
    answer(&Switches::new(&rows, sight))
}

impl Switches {
    pub(super) fn new(rows: &[SwitchRow], sight: Visibility) -> Self {
        let switches = rows.iter().map(|row| Switch {
            at: row.at,
            resource: row.resource.to_string(),
            experiment: row.stub.to_string(),
            available: row.available,
            reason: row.reason.clone(),
            outcome: row.outcome.clone(),
            note: row.note.as_ref().and_then(|note| note.show(sight)).cloned(),
            took_seconds: row.took.map(|took| took.as_secs_f64()),
        });
        Self {
            switches: switches.collect(),
            next_until: older(rows, |row| row.at),
        }
    }
}

/// A list of changes of sources.
#[derive(Debug, Serialize, ToSchema)]
struct SourceChanges {
    /// The changes, newest first.
    changes: Vec<SourceChange>,
    /// What `until` has to be for older ones, where there may be some; what happened at that very moment may come twice.
    #[schema(required)]
    next_until: Option<Timestamp>,
}

/// A change of a source.
#[derive(Debug, Serialize, ToSchema)]
struct SourceChange {
    /// When.
    at: Timestamp,
    /// Which: `relay`, `jump` or `book`.
    #[schema(example = "relay")]
    source: &'static str,
    /// How it was from then on: `starting`, `live`, `late` or `down`.
    #[schema(example = "down")]
    health: &'static str,
    /// What was wrong, also in the server's words. Null for readers who may not see those.
    #[schema(required)]
    note: Option<String>,
}

/// Changes of relay, jump and book, newest first, at most 1000.
#[utoipa::path(
    get,
    path = "/api/v2/history/sources",
    tag = "history",
    params(
        ("from" = Option<Timestamp>, Query, description = "From when; 30 days before `until` where it is not given"),
        ("until" = Option<Timestamp>, Query, description = "Until when, itself not included; now where it is not given"),
    ),
    responses(
        (status = 200, description = "The changes", body = SourceChanges),
        (status = 400, description = "A parameter is not known or not understood", body = ApiError),
        (status = 404, description = "labwatch keeps no history", body = ApiError),
        (status = 503, description = "The history does not answer now", body = ApiError),
    )
)]
pub(in crate::http) async fn sources(
    State(served): State<Arc<Served>>,
    RawQuery(query): RawQuery,
    Viewer(sight): Viewer,
) -> Result<Response, ApiError> {
    let range = range(&served, query.as_deref())?;
    let rows = served.past.ask(|reader| reader.sources(range)).await?;
    let next_until = older(&rows, |row| row.at);
    let change = |row: SourceRow| SourceChange {
        at: row.at,
        source: row.source.as_str(),
        health: row.health.as_str(),
        note: row.note.show(sight).cloned(),
    };
    answer(&SourceChanges {
        changes: rows.into_iter().map(change).collect(),
        next_until,
    })
}

/// A list of holds.
#[derive(Debug, Serialize, ToSchema)]
struct PastHolds {
    /// The holds, newest first.
    holds: Vec<PastHold>,
    /// What `until` has to be for older ones, where there may be some; what happened at that very moment may come twice.
    #[schema(required)]
    next_until: Option<Timestamp>,
}

/// A hold.
#[derive(Debug, Serialize, ToSchema)]
struct PastHold {
    /// The resource in book.
    #[schema(example = "r-pend00")]
    resource: String,
    /// The reason that the person gave.
    reason: String,
    /// Since when.
    since: Timestamp,
    /// Until when; null while it lasts.
    #[schema(required)]
    until: Option<Timestamp>,
}

/// What people held, newest first, at most 1000. Those that touch the range.
#[utoipa::path(
    get,
    path = "/api/v2/history/holds",
    tag = "history",
    params(
        ("from" = Option<Timestamp>, Query, description = "From when; 30 days before `until` where it is not given"),
        ("until" = Option<Timestamp>, Query, description = "Until when; now where it is not given"),
    ),
    responses(
        (status = 200, description = "The holds", body = PastHolds),
        (status = 400, description = "A parameter is not known or not understood", body = ApiError),
        (status = 404, description = "labwatch keeps no history", body = ApiError),
        (status = 503, description = "The history does not answer now", body = ApiError),
    )
)]
pub(in crate::http) async fn holds(
    State(served): State<Arc<Served>>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let range = range(&served, query.as_deref())?;
    let rows = served.past.ask(|reader| reader.holds(range)).await?;
    let next_until = older(&rows, |row| row.since);
    let hold = |row: store::Hold| PastHold {
        resource: row.resource.to_string(),
        reason: row.reason,
        since: row.since,
        until: row.until,
    };
    answer(&PastHolds {
        holds: rows.into_iter().map(hold).collect(),
        next_until,
    })
}

/// A list of gaps.
#[derive(Debug, Serialize, ToSchema)]
struct Gaps {
    /// The gaps, newest first.
    gaps: Vec<Gap>,
    /// What `until` has to be for older ones, where there may be some; what happened at that very moment may come twice.
    #[schema(required)]
    next_until: Option<Timestamp>,
}

/// A time of which there is no history.
#[derive(Debug, Serialize, ToSchema)]
struct Gap {
    /// From when.
    since: Timestamp,
    /// Until when.
    until: Timestamp,
    /// Why: `off` (labwatch did not run, or its machine slept) or `lost` (its disk took nothing).
    #[schema(example = "off")]
    why: &'static str,
}

/// Times of which there is no history, newest first, at most 1000. Those that touch the range.
#[utoipa::path(
    get,
    path = "/api/v2/history/gaps",
    tag = "history",
    params(
        ("from" = Option<Timestamp>, Query, description = "From when; 30 days before `until` where it is not given"),
        ("until" = Option<Timestamp>, Query, description = "Until when; now where it is not given"),
    ),
    responses(
        (status = 200, description = "The gaps", body = Gaps),
        (status = 400, description = "A parameter is not known or not understood", body = ApiError),
        (status = 404, description = "labwatch keeps no history", body = ApiError),
        (status = 503, description = "The history does not answer now", body = ApiError),
    )
)]
pub(in crate::http) async fn gaps(
    State(served): State<Arc<Served>>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let range = range(&served, query.as_deref())?;
    let rows = served.past.ask(|reader| reader.gaps(range)).await?;
    let next_until = older(&rows, |row| row.since);
    let gap = |row: store::Gap| Gap {
        since: row.since,
        until: row.until,
        why: row.why.as_str(),
    };
    answer(&Gaps {
        gaps: rows.into_iter().map(gap).collect(),
        next_until,
    })
}

/// What was or is to be sent.
#[derive(Debug, Serialize, ToSchema)]
struct Outbox {
    /// The messages, newest first.
    messages: Vec<Message>,
    /// What `until` has to be for older ones, where there may be some; what happened at that very moment may come twice.
    #[schema(required)]
    next_until: Option<Timestamp>,
}

/// A message, without what it says and to whom.
#[derive(Debug, Serialize, ToSchema)]
struct Message {
    /// Its number.
    id: u64,
    /// The route that it goes.
    #[schema(example = "mail")]
    route: String,
    /// When it was put together.
    created: Timestamp,
    /// How it stands: `pending`, `sent`, `refused`, or `superseded`: something newer tells it, or its route does not tell of it any more.
    #[schema(example = "sent")]
    state: &'static str,
    /// How often it was tried.
    attempts: u32,
    /// When it was last tried; null when it never was.
    #[schema(required)]
    tried: Option<Timestamp>,
    /// Why it last failed, in the other side's words. Null for readers who may not see those.
    #[schema(required)]
    last_error: Option<String>,
}

/// What was put together to be sent, newest first, at most 1000.
#[utoipa::path(
    get,
    path = "/api/v2/history/outbox",
    tag = "history",
    params(
        ("from" = Option<Timestamp>, Query, description = "From when; 30 days before `until` where it is not given"),
        ("until" = Option<Timestamp>, Query, description = "Until when, itself not included; now where it is not given"),
    ),
    responses(
        (status = 200, description = "The messages", body = Outbox),
        (status = 400, description = "A parameter is not known or not understood", body = ApiError),
        (status = 404, description = "labwatch keeps no history", body = ApiError),
        (status = 503, description = "The history does not answer now", body = ApiError),
    )
)]
pub(in crate::http) async fn outbox(
    State(served): State<Arc<Served>>,
    RawQuery(query): RawQuery,
    Viewer(sight): Viewer,
) -> Result<Response, ApiError> {
    let range = range(&served, query.as_deref())?;
    let rows = served.past.ask(|reader| reader.outbox(range)).await?;
    let next_until = older(&rows, |row| row.created);
    let message = |row: OutboxRow| Message {
        id: row.id,
        route: row.route,
        created: row.created,
        state: row.state.as_str(),
        attempts: row.attempts,
        tried: row.tried,
        last_error: row.last_error.and_then(|error| error.show(sight).cloned()),
    };
    answer(&Outbox {
        messages: rows.into_iter().map(message).collect(),
        next_until,
    })
}

/// Until when to ask for what is older than these rows, where they are as many as one answer holds.
fn older<T>(rows: &[T], at: impl Fn(&T) -> Timestamp) -> Option<Timestamp> {
    let last = rows.last().filter(|_| rows.len() >= MAX_ROWS)?;
    at(last).checked_add(SignedDuration::from_millis(1)).ok()
}
