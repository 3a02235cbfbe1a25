//! The history of the laboratory: switches, changes of sources, holds, gaps and notifications, each
//! a list in pages.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::Uri;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::page::{self, Page, PageParams, Paging};
use super::params::Params;
use super::time::Timestamp;
use super::words::{GapCause, OutboxState, SourceHealth, SourceName, SwitchOutcome};
use crate::http::auth::Viewer;
use crate::http::error::ApiResult;
use crate::http::served::Served;
use crate::store::{
    self, Cursor, OutboxRow, Part, Range, ReadError, Reader, RowPage, SourceRow, SwitchRow,
};
use engine::model::{Stub, Visibility};

/// The default length of the history.
const MONTH: Duration = Duration::from_secs(30 * 24 * 3_600);

/// The requested time.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it documents what `ranged` reads")]
pub(super) struct RangeParams {
    /// The start; by default 30 days before `until`.
    from: Option<Timestamp>,
    /// The end, exclusive; by default now.
    until: Option<Timestamp>,
}

/// The key of an item in a list of a range: the start and end of the range, and its key in it.
pub(super) type Ranged<K> = (jiff::Timestamp, jiff::Timestamp, K);

/// The requested range and page. A cursor holds the range of its first page, so that a list does
/// not move while it is read.
pub(super) fn ranged<K: DeserializeOwned>(
    now: jiff::Timestamp,
    uri: &Uri,
) -> ApiResult<(Range, Paging<Ranged<K>>)> {
    let params = Params::parse(uri.query(), &["from", "until", "limit", "cursor"])?;
    let paging: Paging<Ranged<K>> = Paging::of(&params, uri)?;
    let range = match paging.after {
        Some((from, until, _)) => Range { from, until },
        None => params.range(now, MONTH)?,
    };
    Ok((range, paging))
}

/// A page of the history: what is asked of its reader, and what is made of each row.
pub(super) async fn page_of<'a, T, U: Serialize, F>(
    served: &'a Served,
    uri: &Uri,
    question: impl FnOnce(&'a Reader, Part) -> F,
    make: impl Fn(T) -> U,
) -> ApiResult
where
    F: Future<Output = Result<RowPage<T>, ReadError>>,
{
    let (range, paging) = ranged::<(jiff::Timestamp, i64)>(served.snapshot().at, uri)?;
    let part = Part {
        range,
        before: paging.after.map(|(_, _, (at, id))| Cursor { at, id }),
        limit: paging.limit,
    };
    let found = served.past.ask(|reader| question(reader, part)).await?;
    let next = found
        .next
        .map(|Cursor { at, id }| page::encoded(uri, &(range.from, range.until, (at, id))));
    let items = found.rows.into_iter().map(make).collect();
    Page { items, next }.answer(uri)
}

/// A switch of a resource's availability in book by labwatch.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Switch {
    /// When it was decided.
    at: Timestamp,
    /// The resource in book.
    #[schema(example = "r-pend00")]
    resource: String,
    /// Its experiment.
    #[schema(example = "pend00")]
    experiment: String,
    /// Whether it was to be available; null when only the outcome is known.
    #[schema(required)]
    available: Option<bool>,
    /// The reason that was written to book, for students.
    reason: String,
    /// Its outcome; null when that is not known.
    #[schema(required)]
    outcome: Option<SwitchOutcome>,
    /// The answer of book. Null for readers who may not see it.
    #[schema(required)]
    note: Option<String>,
    /// How long it took, in seconds; null when that is not known.
    #[schema(required)]
    took_seconds: Option<f64>,
}

/// The switches of availability in book by labwatch, newest first.
#[utoipa::path(get, path = "/api/v2/history/switches", tag = "history", params(RangeParams, PageParams), responses(
    (status = 200, description = "A page, newest first", body = Page<Switch>),
))]
pub(super) async fn list_switches(
    State(served): State<Arc<Served>>,
    uri: Uri,
    Viewer(sight): Viewer,
) -> ApiResult {
    switches_of(&served, None, &uri, sight).await
}

pub(super) async fn switches_of(
    served: &Served,
    of: Option<Stub>,
    uri: &Uri,
    sight: Visibility,
) -> ApiResult {
    let made = |row: SwitchRow| Switch {
        at: row.at.into(),
        resource: row.resource.to_string(),
        experiment: row.stub.to_string(),
        available: row.available,
        reason: row.reason,
        outcome: row.outcome.as_deref().and_then(SwitchOutcome::parse),
        note: row.note.and_then(|note| note.show(sight).cloned()),
        took_seconds: row.took.map(|took| took.as_secs_f64()),
    };
    page_of(
        served,
        uri,
        |reader, part| reader.switch_page(of, part),
        made,
    )
    .await
}

/// A change of a source.
#[derive(Debug, Serialize, ToSchema)]
struct SourceChange {
    /// When.
    at: Timestamp,
    /// The source.
    source: SourceName,
    /// Its health from then on.
    health: SourceHealth,
    /// What was wrong, including the server's own text. Null for readers who may not see it.
    #[schema(required)]
    note: Option<String>,
}

/// Changes of relay, jump and book, newest first.
#[utoipa::path(get, path = "/api/v2/history/sources", tag = "history", params(RangeParams, PageParams), responses(
    (status = 200, description = "A page, newest first", body = Page<SourceChange>),
))]
pub(super) async fn list_source_changes(
    State(served): State<Arc<Served>>,
    uri: Uri,
    Viewer(sight): Viewer,
) -> ApiResult {
    let made = |row: SourceRow| SourceChange {
        at: row.at.into(),
        source: row.source.into(),
        health: row.health.into(),
        note: row.note.show(sight).cloned(),
    };
    page_of(&served, &uri, Reader::source_page, made).await
}

/// A present or past hold.
#[derive(Debug, Serialize, ToSchema)]
struct PastHold {
    /// The resource in book.
    #[schema(example = "r-pend00")]
    resource: String,
    /// The operator's reason.
    reason: String,
    /// Since when.
    since: Timestamp,
    /// Until when; null while it lasts.
    #[schema(required)]
    until: Option<Timestamp>,
}

/// Manual holds, newest first.
#[utoipa::path(get, path = "/api/v2/history/holds", tag = "history", params(RangeParams, PageParams), responses(
    (status = 200, description = "A page of those that touch the range, newest first", body = Page<PastHold>),
))]
pub(super) async fn list_past_holds(State(served): State<Arc<Served>>, uri: Uri) -> ApiResult {
    let made = |row: store::Hold| PastHold {
        resource: row.resource.to_string(),
        reason: row.reason,
        since: row.since.into(),
        until: row.until.map(Timestamp::from),
    };
    page_of(&served, &uri, Reader::hold_page, made).await
}

/// A time without history.
#[derive(Debug, Serialize, ToSchema)]
struct Gap {
    /// From when.
    since: Timestamp,
    /// Until when.
    until: Timestamp,
    /// The reason.
    why: GapCause,
}

/// Times without history, newest first.
#[utoipa::path(get, path = "/api/v2/history/gaps", tag = "history", params(RangeParams, PageParams), responses(
    (status = 200, description = "A page of those that touch the range, newest first", body = Page<Gap>),
))]
pub(super) async fn list_gaps(State(served): State<Arc<Served>>, uri: Uri) -> ApiResult {
    let made = |row: store::Gap| Gap {
        since: row.since.into(),
        until: row.until.into(),
        why: row.why.into(),
    };
    page_of(&served, &uri, Reader::gap_page, made).await
}

/// A notification, without its text and its recipients.
#[derive(Debug, Serialize, ToSchema)]
struct Notification {
    /// Its number.
    id: u64,
    /// Its route.
    #[schema(example = "mail")]
    route: String,
    /// When it was composed.
    created: Timestamp,
    /// Its state.
    state: OutboxState,
    /// The number of attempts.
    attempts: u32,
    /// When it was last attempted; null for never.
    #[schema(required)]
    tried: Option<Timestamp>,
    /// Why the last attempt failed, with the other side's text. Null for readers who may not see
    /// it.
    #[schema(required)]
    last_error: Option<String>,
}

/// Composed notifications, newest first: those in the outbox, and those that have left it.
#[utoipa::path(get, path = "/api/v2/history/outbox", tag = "history", params(RangeParams, PageParams), responses(
    (status = 200, description = "A page, newest first", body = Page<Notification>),
))]
pub(super) async fn list_notifications(
    State(served): State<Arc<Served>>,
    uri: Uri,
    Viewer(sight): Viewer,
) -> ApiResult {
    let made = |row: OutboxRow| Notification {
        id: row.id,
        route: row.route,
        created: row.created.into(),
        state: row.state.into(),
        attempts: row.attempts,
        tried: row.tried.map(Timestamp::from),
        last_error: row.last_error.and_then(|error| error.show(sight).cloned()),
    };
    page_of(&served, &uri, Reader::outbox_page, made).await
}
