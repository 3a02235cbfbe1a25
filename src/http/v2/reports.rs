//! Incoming reports (passive checks): the state of components that labwatch does not probe, and the
//! results of experiments' self-tests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Json;
use super::outcome::{self, IdempotencyKey, IfMatch};
use super::page::{Page, PageParams, Paging};
use super::params::NoParams;
use super::time::Timestamp;
use crate::health::{self, Finding, HealthState, NotTaken, PassiveChecks};
use crate::http::auth::{Caller, Need, Noted, RateLimit, Scope, Viewer};
use crate::http::error::{self, ApiError, ApiResult, Reason};
use crate::http::health_state::HealthRoutes;
use crate::http::json::answer;
use crate::http::named::Named;
use crate::http::routes::{Routes, routes};
use engine::model::Visibility;

/// The name of the list, and its path.
const LIST: &str = "/api/v2/reports";

/// The longest detail of a report, in bytes.
const MAX_DETAIL_BYTES: usize = 1_000;

/// How many reports of one token are accepted in [`REPORTS_WITHIN`].
const MAX_REPORTS: u32 = 120;

/// The time in which they are counted.
const REPORTS_WITHIN: Duration = Duration::from_secs(60);

/// The most tokens for which they are counted at the same time.
const REPORTING_TOKENS: usize = 1_024;

/// The state of these paths.
#[derive(Clone)]
pub(super) struct ReportState {
    health_state: HealthState,
    passive: Arc<PassiveChecks>,
    rate: Arc<RateLimit<String>>,
}

impl From<&HealthRoutes> for ReportState {
    fn from(health: &HealthRoutes) -> Self {
        Self {
            health_state: health.health_state.clone(),
            passive: Arc::clone(&health.passive),
            rate: Arc::new(RateLimit::new(
                MAX_REPORTS,
                REPORTS_WITHIN,
                REPORTING_TOKENS,
            )),
        }
    }
}

/// All routes that read.
pub(super) fn reading() -> Routes<ReportState> {
    Routes::needing(Need::Read)
        .add(routes!(list_reports))
        .add(routes!(report))
}

/// All routes that report.
pub(super) fn reporting() -> Routes<ReportState> {
    Routes::needing(Need::Scope(Scope::Report)).add(routes!(make_report, withdraw_report))
}

/// The kind of reporter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum ReportKind {
    /// A `[[service]]` of the configuration without a `url`.
    Component,
    /// An experiment with a self-test.
    Experiment,
}

/// The reported state: `warn` can be used, but with a fault.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Condition {
    Ok,
    Warn,
    Error,
}

/// A report.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MakeReport {
    /// Its state.
    state: Condition,
    /// What is wrong, as text: one line.
    #[serde(default)]
    #[schema(example = "the disk is full", max_length = 1000)]
    detail: String,
}

/// The last report of a component or an experiment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HealthReport)]
struct Report {
    /// The kind of reporter.
    kind: ReportKind,
    /// Its name.
    #[schema(example = "wiki")]
    name: String,
    /// Its state: `ok`, `warn` or `error` as it reported; `init` before its first report, `stale`
    /// when that is too old to count.
    #[schema(example = "ok")]
    state: &'static str,
    /// What is wrong; null for readers without a token.
    #[schema(required)]
    detail: Option<String>,
    /// When it last reported; null for never.
    #[schema(required)]
    at: Option<Timestamp>,
}

/// The outcome of a report.
#[derive(Debug, Serialize, ToSchema)]
struct ReportTaken {
    /// Whether it differs from the last report; a repeated one only renews the evidence.
    changed: bool,
    /// Until when it counts. After that the component is stale, which is not ok.
    fresh_until: Timestamp,
}

impl ReportState {
    /// The last reports of all reporters, by kind and name.
    fn all(&self, sight: Visibility) -> Vec<Report> {
        let health = self.health_state.snapshot();
        let detail = |detail: &str| sight.is_full().then(|| detail.to_owned());
        let passive = self.passive.names();
        let components = health.components.iter();
        let components = components.filter(|component| passive.contains(&*component.name));
        let components = components.map(|component| Report {
            kind: ReportKind::Component,
            name: component.name.to_string(),
            state: component.state().as_str(),
            detail: detail(component.detail()),
            at: component.last_update.map(Timestamp::from),
        });
        let experiments = health.self_tests.iter().map(|(name, test)| {
            let finding = test.finding(health.at);
            Report {
                kind: ReportKind::Experiment,
                name: name.clone(),
                state: finding.state.as_str(),
                detail: detail(&finding.detail),
                at: Some(test.at.into()),
            }
        });
        components.chain(experiments).collect()
    }

    fn find(&self, kind: ReportKind, name: &str, sight: Visibility) -> ApiResult<Report> {
        let all = self.all(sight).into_iter();
        let mut all = all.filter(|report| report.kind == kind && report.name == name);
        all.next().ok_or_else(|| {
            let words = format!("{name} has not reported: {LIST} lists what has");
            ApiError::new(Reason::NotFound, words)
        })
    }
}

/// The last reports of all components and experiments that report themselves.
#[utoipa::path(get, path = "/api/v2/reports", tag = "reports", params(PageParams), responses(
    (status = 200, description = "A page, by kind and name", body = Page<Report>),
))]
async fn list_reports(
    State(state): State<ReportState>,
    Viewer(sight): Viewer,
    uri: Uri,
) -> ApiResult {
    let all = state.all(sight).into_iter();
    let key = |report: &Report| (report.kind == ReportKind::Experiment, report.name.clone());
    let all = all.map(|report| (key(&report), report));
    Paging::asked(&uri)?.pick(&uri, all).answer(&uri)
}

/// The last report of one component or experiment.
#[utoipa::path(get, path = "/api/v2/reports/{kind}/{name}", tag = "reports",
    params(("kind" = ReportKind, Path, description = "The kind of reporter"), ("name" = String, Path, min_length = 1, max_length = 256, description = "Its name", example = "wiki")), responses(
    (status = 200, description = "The report", body = Report),
))]
async fn report(
    State(state): State<ReportState>,
    Named((kind, name)): Named<(ReportKind, String)>,
    _: NoParams,
    Viewer(sight): Viewer,
) -> ApiResult {
    answer(&state.find(kind, &name, sight)?)
}

/// Reports the state of a component, or the result of an experiment's self-test. The last report
/// counts.
///
/// A component is a `[[service]]` of the configuration without a `url`; its `period` is how long a
/// report counts. The result of a self-test counts for a day and is one more check of the
/// experiment in `/__agghealth`; it does not change the evaluation.
#[utoipa::path(post, path = "/api/v2/reports/{kind}/{name}", tag = "reports", request_body = MakeReport,
    params(("kind" = ReportKind, Path, description = "The kind of reporter"), ("name" = String, Path, min_length = 1, max_length = 256, description = "Its name", example = "wiki"), IdempotencyKey),
    responses(
    (status = 201, description = "It is accepted", body = ReportTaken, headers(("Location" = String, description = "The report"))),
))]
async fn make_report(
    State(state): State<ReportState>,
    caller: Caller,
    Named((kind, name)): Named<(ReportKind, String)>,
    _: NoParams,
    uri: Uri,
    Json(body): Json<MakeReport>,
) -> ApiResult {
    may_report(&state.rate, &caller, &name)?;
    let finding = finding(body)?;
    let condition = finding.state.as_str();
    let taken = match kind {
        ReportKind::Component => state.passive.report(&name, finding),
        ReportKind::Experiment => state.health_state.tested(&name, finding),
    };
    let taken = taken.map_err(refused)?;
    if taken.changed {
        tracing::info!(
            ?kind,
            name,
            state = condition,
            by = caller.name(),
            "took a report"
        );
    }
    let taken = ReportTaken {
        changed: taken.changed,
        fresh_until: (jiff::Timestamp::now() + taken.fresh).into(),
    };
    // A report is in the log and in every view: it is no change by a maintainer.
    let mut response = (StatusCode::CREATED, Noted::elsewhere(), answer(&taken)?).into_response();
    if let Ok(place) = HeaderValue::from_str(uri.path()) {
        response.headers_mut().insert(LOCATION, place);
    }
    Ok(response)
}

/// Withdraws the last report, as if there were none.
#[utoipa::path(delete, path = "/api/v2/reports/{kind}/{name}", tag = "reports",
    params(("kind" = ReportKind, Path, description = "The kind of reporter"), ("name" = String, Path, min_length = 1, max_length = 256, description = "Its name", example = "wiki"), IfMatch),
    responses((status = 204, description = "It is withdrawn")))]
async fn withdraw_report(
    State(state): State<ReportState>,
    Named((kind, name)): Named<(ReportKind, String)>,
    _: NoParams,
    caller: Caller,
    headers: HeaderMap,
) -> ApiResult {
    may_report(&state.rate, &caller, &name)?;
    let shown = state.find(kind, &name, caller.visibility())?;
    outcome::check(&headers, &shown)?;
    match kind {
        ReportKind::Component => state.passive.withdraw(&name),
        ReportKind::Experiment => state.health_state.forget_test(&name),
    }
    Ok((StatusCode::NO_CONTENT, Noted::elsewhere(), ()).into_response())
}

/// Checks that this caller may report on this name, and has not done so too often.
fn may_report(rate: &RateLimit<String>, caller: &Caller, name: &str) -> ApiResult<()> {
    let Some(token) = caller.pass().filter(|token| token.may_report_on(name)) else {
        return Err(error::not_named(name));
    };
    rate.take(&token.id, Instant::now())
        .map_err(error::too_many_reports)
}

fn finding(report: MakeReport) -> ApiResult<Finding> {
    if report.detail.len() > MAX_DETAIL_BYTES || report.detail.chars().any(char::is_control) {
        return Err(ApiError::new(
            Reason::InvalidText,
            format!("detail must be one line of at most {MAX_DETAIL_BYTES} bytes"),
        ));
    }
    let state = match report.state {
        Condition::Ok => health::State::Ok,
        Condition::Warn => health::State::Warn,
        Condition::Error => health::State::Error,
    };
    Ok(Finding::new(state, report.detail))
}

fn refused(why: NotTaken) -> ApiError {
    let reason = match &why {
        NotTaken::Kind(_) => Reason::NotFound,
        NotTaken::Component(_) => Reason::UnknownComponent,
        NotTaken::Experiment(_) => Reason::UnknownExperiment,
        NotTaken::Asked(_) => Reason::NotPassive,
    };
    if reason != Reason::NotPassive {
        tracing::debug!("refused a report: {why}");
    }
    ApiError::new(reason, why)
}
