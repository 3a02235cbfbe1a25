//! Acknowledgements, silences and maintenance windows: each can be listed, created, read and ended.
//! They suppress notifications and change nothing else.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::Json;
use super::outcome::{self, Commanding, Done, DryRun, IdempotencyKey, IfMatch, Made, Would};
use super::page::{Page, PageParams, Paging};
use super::params::NoParams;
use super::schedule::Schedule;
use super::suppression_forms::{Acknowledge, AcknowledgeForm, MakeSilence, PlanMaintenance};
use super::time::Timestamp;
use super::words::{Health, SubjectKind};
use crate::http::auth::{Need, Scope, Viewer};
use crate::http::commands::OrderState;
use crate::http::error::{ApiError, ApiResult, Reason};
use crate::http::json::answer;
use crate::http::named::Named;
use crate::http::routes::{Routes, routes};
use engine::model::Visibility;
use engine::{Command, NoteView, Occurrence, Snapshot, Subject, SuppressionEntry, SuppressionId};

/// All routes that read.
pub(super) fn reading() -> Routes<OrderState> {
    Routes::needing(Need::Read)
        .add(routes!(list_acknowledgements))
        .add(routes!(acknowledgement))
        .add(routes!(list_silences))
        .add(routes!(silence))
        .add(routes!(list_maintenance_windows))
        .add(routes!(maintenance_window))
}

/// All routes that change something.
pub(super) fn changing() -> Routes<OrderState> {
    Routes::needing(Need::Scope(Scope::Admin))
        .add(routes!(acknowledge))
        .add(routes!(end_acknowledgement))
        .add(routes!(make_silence))
        .add(routes!(end_silence))
        .add(routes!(plan_maintenance))
        .add(routes!(end_maintenance))
}

/// A known problem: no notification about it until it is well again or gets worse.
#[derive(Debug, Serialize, ToSchema)]
struct Acknowledgement {
    /// Its id; null for one from the policy in etcd, which is ended there.
    #[schema(required)]
    id: Option<u64>,
    /// The kind of its subject.
    kind: SubjectKind,
    /// The name of the experiment or the component; null for the whole laboratory.
    #[schema(required, example = "pend00")]
    name: Option<String>,
    /// The health that was acknowledged: a worse one is not.
    health: Health,
    /// What is being done about it; null for readers without a token.
    #[schema(required)]
    text: Option<String>,
    /// The name of the token that made it; null for readers without a token.
    #[schema(required)]
    by: Option<String>,
    /// When it was created.
    since: Timestamp,
    /// When it ends at the latest; null where it ends when its subject is well again, or with its
    /// key in the policy.
    #[schema(required)]
    until: Option<Timestamp>,
    /// Whether it suppresses notifications now.
    active: bool,
}

/// Experiments without notifications for a while.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Silence)]
struct SilenceView {
    /// Its id.
    id: u64,
    /// Which experiments: a name, or a pattern with `*` and `?`.
    #[schema(example = "spin0?")]
    experiments: String,
    /// Why; null for readers without a token.
    #[schema(required)]
    reason: Option<String>,
    /// The name of the token that made it; null for readers without a token.
    #[schema(required)]
    by: Option<String>,
    /// When it was created. It takes effect from then on.
    since: Timestamp,
    /// When it ends.
    until: Timestamp,
    /// Whether it suppresses notifications now.
    active: bool,
}

/// Experiments with planned maintenance.
#[derive(Debug, Serialize, ToSchema)]
struct MaintenanceWindow {
    /// Its id; null for one from the configuration, which cannot be ended here.
    #[schema(required)]
    id: Option<u64>,
    /// Which experiments: a name, or a pattern with `*` and `?`.
    #[schema(example = "pend*")]
    experiments: String,
    /// Why; null for readers without a token.
    #[schema(required)]
    reason: Option<String>,
    /// The name of the token that planned it; null for readers without a token.
    #[schema(required)]
    by: Option<String>,
    /// When it was planned.
    since: Timestamp,
    /// Its schedule.
    schedule: Schedule,
    /// Whether it suppresses notifications now.
    active: bool,
    /// Its present or next occurrence; null where it is over.
    #[schema(required)]
    next: Option<Span>,
}

/// A range of time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Occurrence)]
struct Span {
    /// The start.
    from: Timestamp,
    /// The end, exclusive.
    until: Timestamp,
}

/// A maintainer's text, if this reader may see it.
fn shown(text: &str, sight: Visibility) -> Option<String> {
    sight.is_full().then(|| text.to_owned())
}

impl Acknowledgement {
    fn of(note: &NoteView, sight: Visibility) -> Option<Self> {
        let SuppressionEntry::Acknowledgement(entry) = &note.entry else {
            return None;
        };
        let name = match &entry.subject {
            Subject::Experiment(stub) => Some(stub.to_string()),
            Subject::Component(name) => Some(name.clone()),
            Subject::Installation => None,
        };
        Some(Self {
            id: note.id.map(|id| id.0),
            kind: (&entry.subject).into(),
            name,
            health: entry.health.into(),
            text: shown(&entry.text, sight),
            by: shown(&entry.who, sight),
            since: entry.since.into(),
            until: entry.until.map(Timestamp::from),
            active: note.active,
        })
    }
}

impl SilenceView {
    fn of(note: &NoteView, sight: Visibility) -> Option<Self> {
        let SuppressionEntry::Silence(entry) = &note.entry else {
            return None;
        };
        Some(Self {
            id: note.id?.0,
            experiments: entry.pattern.as_str().to_owned(),
            reason: shown(&entry.reason, sight),
            by: shown(&entry.who, sight),
            since: entry.since.into(),
            until: entry.until.into(),
            active: note.active,
        })
    }
}

impl MaintenanceWindow {
    fn of(note: &NoteView, sight: Visibility) -> Option<Self> {
        let SuppressionEntry::Maintenance(entry) = &note.entry else {
            return None;
        };
        let span = |Occurrence { from, until }| Span {
            from: from.into(),
            until: until.into(),
        };
        Some(Self {
            id: note.id.map(|id| id.0),
            experiments: entry.pattern.as_str().to_owned(),
            reason: shown(&entry.reason, sight),
            by: shown(&entry.who, sight),
            since: entry.since.into(),
            schedule: (&entry.schedule).into(),
            active: note.active,
            next: note.next.map(span),
        })
    }
}

/// A page of the suppressions that `make` accepts: first those of the configuration, then by id.
fn list<T: Serialize>(
    state: &OrderState,
    uri: &Uri,
    make: impl Fn(&NoteView) -> Option<T>,
) -> ApiResult {
    let snapshot = newest(state);
    let notes = snapshot.notes.iter().enumerate();
    let items = notes.filter_map(|(place, note)| {
        let id = note.id.map(|id| id.0);
        let place = if id.is_some() { 0 } else { place };
        Some(((id, place), make(note)?))
    });
    Paging::asked(uri)?.pick(uri, items).answer(uri)
}

/// The suppression of this id and kind.
fn find<T>(
    snapshot: &Snapshot,
    id: &str,
    make: impl Fn(&NoteView) -> Option<T>,
) -> ApiResult<(SuppressionId, T)> {
    let nothing = |words: String| ApiError::new(Reason::NotFound, words);
    // An id has one form, so that a change recorded by its path can be found: neither `+7` nor
    // `07`.
    let number = id.parse::<u64>().ok();
    let number = number.filter(|number| number.to_string() == id);
    let id = number
        .map(SuppressionId)
        .ok_or_else(|| nothing("this is not a number: the list has them".to_owned()))?;
    let mut notes = snapshot.notes.iter().filter(|note| note.id == Some(id));
    notes
        .find_map(|note| Some((id, make(note)?)))
        .ok_or_else(|| {
            nothing(format!(
                "there is nothing with the number {id}: it has ended, or never was"
            ))
        })
}

/// Ends the suppression of this id and kind.
async fn end<T: Serialize>(
    order: Commanding,
    id: &str,
    headers: &HeaderMap,
    make: impl Fn(&NoteView) -> Option<T>,
) -> ApiResult {
    let (id, entry) = find(&order.snapshot(), id, make)?;
    outcome::check(headers, &entry)?;
    order.carry_out(Command::Remove { id }).await?.ended()
}

fn newest(state: &OrderState) -> Arc<Snapshot> {
    Arc::clone(&state.snapshots.borrow())
}

macro_rules! nouns {
    ($($path:literal, $one:literal, $view:ty, $list:ident, $read:ident, $end:ident: $listed:literal, $shown:literal, $ended:literal;)*) => {$(
        #[doc = $listed]
        #[utoipa::path(get, path = $path, tag = "suppressions", params(PageParams), responses(
            (status = 200, description = "A page, by id", body = Page<$view>),
        ))]
        async fn $list(State(state): State<OrderState>, Viewer(sight): Viewer, uri: Uri) -> ApiResult {
            list(&state, &uri, |note| <$view>::of(note, sight))
        }

        #[doc = $shown]
        #[utoipa::path(get, path = $one, tag = "suppressions", params(("id" = u64, Path, description = "Its id")), responses(
            (status = 200, description = "It", body = $view),
        ))]
        async fn $read(
            State(state): State<OrderState>,
            Named(id): Named<String>,
            _: NoParams,
            Viewer(sight): Viewer,
        ) -> ApiResult {
                answer(&find(&newest(&state), &id, |note| <$view>::of(note, sight))?.1)
        }

        #[doc = $ended]
        #[utoipa::path(delete, path = $one, tag = "suppressions", params(("id" = u64, Path, description = "Its id"), DryRun, IfMatch), responses(
            (status = 200, response = Done),
        ))]
        async fn $end(Named(id): Named<String>, order: Commanding, headers: HeaderMap) -> ApiResult {
            let sight = order.visibility();
            end(order, &id, &headers, |note| <$view>::of(note, sight)).await
        }
    )*};
}

nouns! {
    "/api/v2/acknowledgements", "/api/v2/acknowledgements/{id}", Acknowledgement,
    list_acknowledgements, acknowledgement, end_acknowledgement:
    "Everything that is acknowledged.", "One acknowledgement.", "Takes an acknowledgement back.";
    "/api/v2/silences", "/api/v2/silences/{id}", SilenceView, list_silences, silence, end_silence:
    "All silences.", "One silence.", "Ends a silence before its time.";
    "/api/v2/maintenance-windows", "/api/v2/maintenance-windows/{id}", MaintenanceWindow,
    list_maintenance_windows, maintenance_window, end_maintenance:
    "All maintenance windows; first those of the configuration.", "One maintenance window.", "Ends a maintenance window before its time.";
}

/// Acknowledges a problem: no notification about it until it is well again or gets worse. Book and
/// the evaluation are not affected.
///
/// Of several experiments each with a problem gets an acknowledgement of its own; `Location` is
/// then the list.
#[utoipa::path(post, path = "/api/v2/acknowledgements", tag = "suppressions", request_body = AcknowledgeForm,
    params(DryRun, IdempotencyKey), responses(
    (status = 200, response = Would),
    (status = 201, response = Made),
))]
async fn acknowledge(order: Commanding, Json(body): Json<Acknowledge>) -> ApiResult {
    let made = order.carry_out(body.command()?).await?;
    made.made("/api/v2/acknowledgements")
}

/// Suppresses notifications about some experiments for a while.
#[utoipa::path(post, path = "/api/v2/silences", tag = "suppressions", request_body = MakeSilence, params(DryRun, IdempotencyKey), responses(
    (status = 200, response = Would),
    (status = 201, response = Made),
))]
async fn make_silence(order: Commanding, Json(body): Json<MakeSilence>) -> ApiResult {
    let made = order.carry_out(body.command()?).await?;
    made.made("/api/v2/silences")
}

/// Plans maintenance: once, or every week in a time zone.
#[utoipa::path(post, path = "/api/v2/maintenance-windows", tag = "suppressions", request_body = PlanMaintenance,
    params(DryRun, IdempotencyKey), responses(
    (status = 200, response = Would),
    (status = 201, response = Made),
))]
async fn plan_maintenance(order: Commanding, Json(body): Json<PlanMaintenance>) -> ApiResult {
    let made = order.carry_out(body.command()?).await?;
    made.made("/api/v2/maintenance-windows")
}
