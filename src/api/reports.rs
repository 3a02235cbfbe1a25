//! Reports over the API: `GET /api/v2/reports`, as JSON, CSV or a page that prints well. One is made at a time, beside the runtime's threads
//! and with a connection of its own, so that nobody else waits for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::error::{self, ApiError};
use super::routes::answer;
use crate::engine::Maintenance;
use crate::reports::{self, By, Period, PeriodError, Report};
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

/// What the handlers share.
struct Desk {
    source: ReportSource,
    /// Whoever holds its one permit makes a report.
    turn: Arc<Semaphore>,
}

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    period: Option<String>,
    from: Option<String>,
    until: Option<String>,
    by: Option<String>,
    format: Option<String>,
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Json,
    Csv,
    Html,
}

/// The paths of reports.
pub fn report_routes(source: ReportSource) -> Router {
    let desk = Desk { source, turn: Arc::new(Semaphore::new(1)) };
    Router::new().route("/api/v2/reports", get(report)).with_state(Arc::new(desk))
}

/// How available the laboratory was in a month, the last one that is over unless told otherwise, or in another time of at most 400 days.
async fn report(State(desk): State<Arc<Desk>>, asked: Result<Query<Asked>, QueryRejection>) -> Result<Response, ApiError> {
    let Query(asked) = asked.map_err(|refused| error::malformed(refused.body_text()))?;
    let now = Timestamp::now();
    let (by, format) = (by(&asked)?, format(&asked)?);
    let period = period(&asked, &desk.source.zone, now).map_err(error::malformed)?;
    let report = made(&desk, period, now).await?;
    let report = match by {
        Some(by) => report.only(by),
        None => report,
    };
    written(&report, format, by.unwrap_or(By::Experiment))
}

fn by(asked: &Asked) -> Result<Option<By>, ApiError> {
    let Some(word) = &asked.by else { return Ok(None) };
    let by = By::ALL.into_iter().find(|by| by.word() == word);
    by.map(Some).ok_or_else(|| error::malformed(format!("by={word:?} is not understood; allowed: experiment, pool, month")))
}

fn format(asked: &Asked) -> Result<Format, ApiError> {
    match asked.format.as_deref() {
        None | Some("json") => Ok(Format::Json),
        Some("csv") => Ok(Format::Csv),
        Some("html") => Ok(Format::Html),
        Some(word) => Err(error::malformed(format!("format={word:?} is not understood; allowed: json, csv, html"))),
    }
}

fn period(asked: &Asked, zone: &TimeZone, now: Timestamp) -> Result<Period, String> {
    let period = match (&asked.period, asked.from.as_deref(), asked.until.as_deref()) {
        (Some(month), None, None) => Period::month(month, zone, now),
        (None, Some(from), Some(until)) => Period::between(from, until, zone, now),
        (None, None, None) => Period::last_month(zone, now),
        _ => return Err("say either period=2026-10, or from= and until=, or none of them".to_owned()),
    };
    period.map_err(|error: PeriodError| error.to_string())
}

async fn made(desk: &Desk, period: Period, now: Timestamp) -> Result<Report, ApiError> {
    let turn = tokio::time::timeout(MAKE_WITHIN, Arc::clone(&desk.turn).acquire_owned()).await;
    let turn = turn.map_err(|_| error::too_slow())?.map_err(|_| error::internal())?;
    let source = desk.source.clone();
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
            error::too_slow()
        }
        ReadError::Busy | ReadError::Closed => error::too_slow(),
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
    use axum::http::{HeaderMap, Uri};

    use super::*;
    use crate::store::{Store, StoreSettings};

    /// The status, headers and body of the answer for a query, from this folder.
    async fn ask_of(folder: PathBuf, query: &str) -> (u16, HeaderMap, String) {
        let source = ReportSource { folder, zone: TimeZone::UTC, planned: Vec::new() };
        let desk = Arc::new(Desk { source, turn: Arc::new(Semaphore::new(1)) });
        let uri: Uri = format!("/api/v2/reports{query}").parse().expect("a path");
        let answer = report(State(desk), Query::try_from_uri(&uri)).await.into_response();
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
    }
}
