//! Reports that come in: how a component is that labwatch does not ask, and what an experiment found when it tested itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::commands::{Given, read};
use super::error::{self, ApiError};
use super::health::HealthRoutes;
use super::routes::answer;
use crate::health::{self as room, Finding, HealthState, NotTaken, PassiveChecks};
use crate::http::auth::{Caller, Noted, RateLimit};

/// The longest body of a report, in bytes.
const MAX_REPORT_BYTES: usize = 4 << 10;

/// The longest detail of a report, in bytes.
const MAX_DETAIL_BYTES: usize = 1_000;

/// How many reports of one token are taken in [`REPORTS_WITHIN`].
const MAX_REPORTS: u32 = 120;

/// For how long they count.
const REPORTS_WITHIN: Duration = Duration::from_secs(60);

/// Of how many tokens they are counted at the same time.
const REPORTING_TOKENS: usize = 1_024;

/// What these paths answer from.
#[derive(Clone)]
pub(super) struct PushState {
    desk: HealthState,
    pushed: Arc<PassiveChecks>,
    rate: Arc<RateLimit<String>>,
}

/// All paths.
pub(super) fn routes(health: &HealthRoutes) -> Router {
    let state = PushState {
        desk: health.desk.clone(),
        pushed: Arc::clone(&health.pushed),
        rate: Arc::new(RateLimit::new(
            MAX_REPORTS,
            REPORTS_WITHIN,
            REPORTING_TOKENS,
        )),
    };
    let limit = DefaultBodyLimit::max(MAX_REPORT_BYTES);
    Router::new()
        .route("/api/v1/reports/{kind}/{name}", post(report).layer(limit))
        .with_state(state)
}

/// How something is, as it says itself.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = HealthReport)]
#[serde(deny_unknown_fields)]
pub(super) struct Told {
    /// How it is: `warn` can be used, but is not as it should be.
    state: Condition,
    /// What is wrong, in words for people; at most 1000 bytes, without control characters.
    #[serde(default)]
    #[schema(example = "the disk is full", max_length = 1000)]
    detail: String,
}

/// How something is.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Condition {
    Ok,
    Warn,
    Error,
}

/// What became of a report.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReportTaken)]
pub(super) struct Answer {
    /// Whether it says something else than the last; what says the same only shows that it still holds.
    changed: bool,
    /// Until when it counts. After that the component is stale, which is not ok.
    fresh_until: Timestamp,
}

/// Reports how a component is, or what an experiment found when it tested itself. The last report counts.
///
/// A component is a `[[service]]` of the configuration without a `url`; its `period` is how long a report counts. The result of a
/// self-test counts for a day and is one more check of the experiment in `/__agghealth`; it changes no judgement.
#[utoipa::path(post, path = "/api/v1/reports/{kind}/{name}", tag = "reports", request_body = Told,
    params(("kind" = String, Path, description = "`component` or `experiment`", example = "component"), ("name" = String, Path, description = "Its name", example = "wiki")),
    responses((status = 200, body = Answer), (status = 400, body = ApiError), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, description = "Nothing of this name reports by itself", body = ApiError),
        (status = 409, description = "Labwatch finds out itself how it is", body = ApiError),
        (status = 413, description = "The body is longer than 4096 bytes", body = ApiError))
)]
pub(super) async fn report(
    State(state): State<PushState>,
    caller: Caller,
    path: Result<Path<(String, String)>, PathRejection>,
    RawQuery(query): RawQuery,
    uri: Uri,
    given: Given<Told>,
) -> Result<Response, ApiError> {
    let Path((kind, name)) = path.map_err(|_| error::no_such_path(&uri))?;
    may_report(&state.rate, &caller, &name)?;
    if query.is_some_and(|query| !query.is_empty()) {
        return Err(error::malformed("a report takes no parameters"));
    }
    let finding = finding(read(given)?)?;
    let as_str = finding.state.as_str();
    let taken = match kind.as_str() {
        "component" => state.pushed.report(&name, finding),
        "experiment" => state.desk.tested(&name, finding),
        _ => Err(NotTaken::Kind(kind.clone())),
    };
    let taken = taken.map_err(refused)?;
    if taken.changed {
        tracing::info!(
            kind,
            name,
            state = as_str,
            by = caller.name(),
            "{kind} {name} reports that it is {as_str}"
        );
    }
    // What was reported stands in the log and in every view: it is no change by a maintainer.
    Ok((
        Noted::elsewhere(),
        answer(&Answer {
            changed: taken.changed,
            fresh_until: Timestamp::now() + taken.fresh,
        })?,
    )
        .into_response())
}

/// Whether this caller may report on this name, and has not done so too often.
fn may_report(rate: &RateLimit<String>, caller: &Caller, name: &str) -> Result<(), ApiError> {
    let Some(token) = caller.pass().filter(|token| token.may_report_on(name)) else {
        return Err(error::not_named(name));
    };
    rate.take(&token.id, Instant::now())
        .map_err(error::too_many_reports)
}

fn finding(notified: Told) -> Result<Finding, ApiError> {
    if notified.detail.len() > MAX_DETAIL_BYTES || notified.detail.chars().any(char::is_control) {
        return Err(error::malformed(format!(
            "detail must be one line of at most {MAX_DETAIL_BYTES} bytes"
        )));
    }
    let state = match notified.state {
        Condition::Ok => room::State::Ok,
        Condition::Warn => room::State::Warn,
        Condition::Error => room::State::Error,
    };
    Ok(Finding::new(state, notified.detail))
}

fn refused(why: NotTaken) -> ApiError {
    match &why {
        NotTaken::Kind(_) | NotTaken::Component(_) | NotTaken::Experiment(_) => {
            tracing::debug!("a report is not taken: {why}");
            error::unknown(why.to_string())
        }
        NotTaken::Asked(_) => error::conflict(why),
    }
}
