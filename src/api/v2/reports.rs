//! Reports over the API, as JSON, CSV or a page that prints well. One is made at a time, beside the runtime's threads and with a connection of
//! its own, so that nobody else waits for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::Semaphore;

use super::params::Params;
use crate::api::error::{self, ApiError};
use crate::api::routes::answer;
use crate::engine::Maintenance;
use crate::reports::{self, By, Period, Report};
use crate::store::ReadError;

/// How long making a report may take, and as long may waiting for the one before it.
const MAKE_WITHIN: Duration = Duration::from_secs(12);

/// A page that looks as it says itself, and does nothing.
const PAGE_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");

/// What reports are made of.
#[derive(Debug, Clone)]
pub struct ReportSource {
    /// The data folder.
    pub folder: PathBuf,
    /// By whose clocks days and months begin.
    pub zone: TimeZone,
    /// The maintenance of the configuration.
    pub planned: Vec<Maintenance>,
}

/// Gives what reports are made of now: the configuration may change while they can be asked for.
pub type ReportSourcing = Box<dyn Fn() -> ReportSource + Send + Sync>;

/// What the handlers share.
pub(in crate::api) struct Desk {
    source: Option<ReportSourcing>,
    /// Whoever holds its one permit makes a report.
    turn: Arc<Semaphore>,
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Json,
    Csv,
    Html,
}

const FORMATS: [(&str, Format); 3] = [("json", Format::Json), ("csv", Format::Csv), ("html", Format::Html)];

/// The paths of reports; `None` where no history is kept.
pub fn report_routes(source: Option<ReportSourcing>) -> Router {
    Router::new().route("/api/v2/reports", get(report)).with_state(Arc::new(Desk::new(source)))
}

/// How available the laboratory was in a month, or in another time of at most 400 days, by the rule that stands in the report.
#[utoipa::path(
    get,
    path = "/api/v2/reports",
    tag = "history",
    params(
        ("period" = Option<String>, Query, description = "A month; the last one that is over where neither it nor `from` is given", example = "2026-10"),
        ("from" = Option<String>, Query, description = "From when: a date, by the clocks of the laboratory, or a time", example = "2026-10-01"),
        ("until" = Option<String>, Query, description = "Until when, itself not included; together with `from`", example = "2026-10-08"),
        ("by" = Option<String>, Query, description = "Only rows by `experiment`, `pool` or `month`. CSV has those by experiment where it is not given"),
        ("format" = Option<String>, Query, description = "`json`, which it is where it is not given, `csv`, or `html`: a page that prints well"),
    ),
    responses(
        (status = 200, description = "The report", body = Report),
        (status = 400, description = "A parameter is not known or not understood, or the time is too long", body = ApiError),
        (status = 404, description = "labwatch keeps no history", body = ApiError),
        (status = 503, description = "The history does not answer now", body = ApiError),
    )
)]
pub(in crate::api) async fn report(State(desk): State<Arc<Desk>>, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let params = Params::parse(query.as_deref(), &["period", "from", "until", "by", "format"])?;
    let (by, format) = (by(&params)?, one(&params, "format", &FORMATS)?.unwrap_or(Format::Json));
    let source = desk.source.as_ref().ok_or_else(error::no_history)?();
    let now = Timestamp::now();
    let report = made(&desk.turn, &source, period(&params, &source.zone, now)?, now).await?;
    let report = match by {
        Some(by) => report.only(by),
        None => report,
    };
    written(&report, format, by.unwrap_or(By::Experiment))
}

impl Desk {
    fn new(source: Option<ReportSourcing>) -> Self {
        Self { source, turn: Arc::new(Semaphore::new(1)) }
    }
}

fn by(params: &Params) -> Result<Option<By>, ApiError> {
    one(params, "by", &By::ALL.map(|by| (by.word(), by)))
}

/// One word of several.
fn one<T: Copy>(params: &Params, name: &str, all: &[(&str, T)]) -> Result<Option<T>, ApiError> {
    match params.words(name, all)?.as_deref() {
        None => Ok(None),
        Some([one]) => Ok(Some(*one)),
        Some(_) => Err(error::malformed(format!("{name} takes one word"))),
    }
}

fn period(params: &Params, zone: &TimeZone, now: Timestamp) -> Result<Period, ApiError> {
    let period = match (params.text("period"), params.text("from"), params.text("until")) {
        (Some(month), None, None) => Period::month(month, zone, now),
        (None, Some(from), Some(until)) => Period::between(from, until, zone, now),
        (None, None, None) => Period::last_month(zone, now),
        _ => return Err(error::malformed("say either period=2026-10, or from= and until=, or none of them")),
    };
    period.map_err(error::malformed)
}

async fn made(turn: &Arc<Semaphore>, source: &ReportSource, period: Period, now: Timestamp) -> Result<Report, ApiError> {
    let turn = tokio::time::timeout(MAKE_WITHIN, Arc::clone(turn).acquire_owned()).await;
    let turn = turn.map_err(|_| error::too_slow())?.map_err(|_| error::internal())?;
    let source = source.clone();
    let making = tokio::task::spawn_blocking(move || {
        // Kept until the report is made, also where nobody waits for it any more.
        let _turn = turn;
        reports::of_folder(&source.folder, &period, &source.planned, now, Instant::now() + MAKE_WITHIN)
    });
    let made = making.await.map_err(|fault| {
        tracing::error!(%fault, "a report cannot be made");
        error::internal()
    })?;
    made.map_err(|fault| match fault {
        ReadError::TooMuch => error::malformed("so much cannot be counted at once: ask for a shorter time"),
        ReadError::Failed(why) => {
            tracing::warn!(why, "the history cannot be read for a report");
            error::unavailable("the history cannot be read now; labwatch's log says why")
        }
        ReadError::Busy | ReadError::Closed => error::unavailable(fault),
    })
}

fn written(report: &Report, format: Format, by: By) -> Result<Response, ApiError> {
    let kind = |kind| [(CONTENT_TYPE, HeaderValue::from_static(kind))];
    match format {
        Format::Json => answer(report),
        Format::Csv => {
            let name = [(CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"labwatch-report.csv\""))];
            Ok((kind("text/csv; charset=utf-8"), name, reports::csv(report, by)).into_response())
        }
        Format::Html => {
            Ok((kind("text/html; charset=utf-8"), [(CONTENT_SECURITY_POLICY, PAGE_POLICY)], reports::html(report)).into_response())
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::http::HeaderMap;

    use super::*;
    use crate::store::{Store, StoreSettings};

    /// The status, headers and body of the answer for a query, from this folder.
    async fn ask_of(folder: PathBuf, query: &str) -> (u16, HeaderMap, String) {
        let desk = Desk::new(Some(Box::new(move || ReportSource { folder: folder.clone(), zone: TimeZone::UTC, planned: Vec::new() })));
        let query = query.strip_prefix('?').map(str::to_owned);
        let answer = report(State(Arc::new(desk)), RawQuery(query)).await.into_response();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
        (status, headers, String::from_utf8(body.to_vec()).expect("UTF-8"))
    }

    /// The same, from a folder in which labwatch has begun to keep.
    async fn ask(query: &str) -> (u16, HeaderMap, String) {
        let dir = tempfile::tempdir().expect("a folder");
        let settings = StoreSettings { dir: dir.path().to_owned(), history_days: 10, ring: 1 };
        let _store = Store::open(&settings).expect("it opens");
        ask_of(dir.path().to_owned(), query).await
    }

    #[tokio::test]
    async fn a_report_comes_in_three_forms() {
        let (status, _, body) = ask("?period=2026-10").await;
        let report: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!((status, report["period"].as_str(), report["total"]["name"].as_str()), (200, Some("2026-10"), Some("all")));
        let (status, headers, body) = ask("?period=2026-10&format=csv&by=pool").await;
        assert_eq!((status, headers[CONTENT_TYPE].to_str().ok()), (200, Some("text/csv; charset=utf-8")));
        assert!(body.starts_with("pool,experiments,"), "{body}");
        let (status, headers, body) = ask("?from=2026-10-01&until=2026-10-08&format=html").await;
        assert_eq!((status, &headers[CONTENT_SECURITY_POLICY]), (200, &PAGE_POLICY));
        assert!(body.starts_with("<!doctype html>") && body.contains("How this is counted"), "{body}");
        assert_eq!(ask("").await.0, 200, "the last month");
    }

    #[tokio::test]
    async fn what_makes_no_sense_is_refused() {
        for query in [
            "?period=october",
            "?period=2026-10&from=2026-10-01",
            "?from=2026-10-01",
            "?from=2020-10-01&until=2026-10-01",
            "?period=2999-01",
            "?by=student",
            "?by=pool,month",
            "?format=pdf",
            "?perod=2026-10",
        ] {
            assert_eq!(ask(query).await.0, 400, "{query}");
        }
    }

    #[tokio::test]
    async fn a_history_that_cannot_be_read_is_asked_for_later() {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(ask_of(dir.path().to_owned(), "").await.0, 503);
        let nowhere = report(State(Arc::new(Desk::new(None))), RawQuery(None)).await.into_response();
        assert_eq!(nowhere.status().as_u16(), 404);
    }
}
