//! Availability reports as JSON, CSV or a printable page. One is made at a time, on a thread of its
//! own and with a connection of its own, so that no other request waits for it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{RawQuery, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::IntoResponse;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::params::Params;
use super::words::Rows;
use crate::http::auth::Need;
use crate::http::error::{self, ApiError, ApiResult, Reason};
use crate::http::json::answer;
use crate::http::routes::{Routes, routes};
use crate::reports::{self, By, Period, PeriodError, Report, Restore};
use crate::store::ReadError;
use engine::Maintenance;

/// How long making a report may take, and how long it may wait for the previous one.
const MAKE_WITHIN: Duration = Duration::from_secs(12);

/// The policy of a page with inline styles and no scripts.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// The data from which reports are made.
#[derive(Debug, Clone)]
pub struct ReportSource {
    /// The data folder.
    pub folder: PathBuf,
    /// The time zone in which days and months begin.
    pub zone: TimeZone,
    /// The maintenance of the configuration.
    pub planned: Vec<Maintenance>,
}

/// Returns the data for a report made now: the configuration may change at run time.
pub type ReportSourcing = Arc<dyn Fn() -> ReportSource + Send + Sync>;

/// How long the usual durations of failures are cached: they change slowly, and computing them
/// takes a whole report.
const USUAL_FOR: Duration = Duration::from_secs(3_600);

/// The days from which the usual durations of failures are computed.
const USUAL_DAYS: i64 = 90;

/// Makes reports, one at a time. Clones share the turn.
#[derive(Clone)]
pub struct Reports {
    source: Option<ReportSourcing>,
    /// The holder of its one permit makes a report.
    turn: Arc<Semaphore>,
    usual: Arc<Mutex<Option<Usual>>>,
    wanted: Arc<Notify>,
}

/// The usual durations of failures, and when they were computed.
type Usual = (Instant, Arc<Vec<Restore>>);

/// The form of a report: `html` is a printable page.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    Json,
    Csv,
    Html,
}

/// The requested report.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it documents what `availability` reads")]
struct AvailabilityParams {
    /// A month; without it and `from`, the last complete one.
    #[param(example = "2026-10", pattern = "^[0-9]{4}-[0-9]{2}$")]
    period: Option<String>,
    /// The start: a date in the time zone of the laboratory, or a time.
    #[param(example = "2026-10-01")]
    from: Option<String>,
    /// The end, exclusive; together with `from`.
    #[param(example = "2026-10-08")]
    until: Option<String>,
    /// Only these rows. CSV has those by experiment by default.
    #[param(inline)]
    by: Option<Rows>,
    /// The form of the report; by default JSON.
    #[param(inline)]
    format: Option<Format>,
}

/// The route of reports about availability.
pub fn report_routes(reports: &Reports) -> Routes {
    documented().with_state(reports)
}

pub(super) fn documented() -> Routes<Reports> {
    Routes::needing(Need::Read).add(routes!(availability))
}

/// Why there is no report, as text for the reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoReport(pub String);

impl Reports {
    /// Makes reports from this data; `None` where no history is kept.
    #[must_use]
    pub fn of(source: Option<ReportSourcing>) -> Self {
        Self {
            source,
            turn: Arc::new(Semaphore::new(1)),
            usual: Arc::default(),
            wanted: Arc::default(),
        }
    }

    /// The report about a month such as `2026-10`; without one about the current month or, if
    /// nothing was evaluated in it, the last one in which something was.
    ///
    /// # Errors
    /// [`NoReport`] where no history is kept, the month is invalid, or the history does not answer
    /// now.
    pub async fn month(&self, month: Option<&str>, now: Timestamp) -> Result<Report, NoReport> {
        let refused = |error: ApiError| NoReport(error.detail().to_owned());
        let source = self.source().map_err(refused)?;
        let of = async |period: Result<Period, PeriodError>| {
            let period = period.map_err(|why| NoReport(why.to_string()))?;
            made(&self.turn, source.clone(), period, now)
                .await
                .map_err(refused)
        };
        if let Some(month) = month {
            return of(Period::month(month, &source.zone, now)).await;
        }
        let has_data = |report: &Report| report.total.availability.is_some();
        let this = of(Period::this_month(&source.zone, now)).await?;
        if has_data(&this) {
            return Ok(this);
        }
        let last = of(Period::last_month(&source.zone, now)).await?;
        Ok(Some(last).filter(has_data).unwrap_or(this))
    }

    /// The month of `now` in the time zone of the laboratory, and those before it, newest first, as
    /// `2026-10`.
    #[must_use]
    pub fn months(&self, most: usize, now: Timestamp) -> Vec<String> {
        let zone = self.source().map_or(TimeZone::UTC, |source| source.zone);
        let first = zone.to_datetime(now).date().first_of_month();
        let before = |months: usize| {
            first
                .checked_sub(Span::new().months(i64::try_from(months).ok()?))
                .ok()
        };
        (0..most)
            .map_while(before)
            .map(|day| day.strftime("%Y-%m").to_string())
            .collect()
    }

    /// How long failures of each cause usually lasted in the last 90 days, over all experiments, as
    /// last computed; empty before the first time. If that is long ago, it is computed anew for the
    /// next caller.
    #[must_use]
    pub fn usual(&self) -> Arc<Vec<Restore>> {
        let usual = self.usual.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = usual
            .as_ref()
            .filter(|(counted, _)| counted.elapsed() < USUAL_FOR);
        if fresh.is_none() && self.source.is_some() {
            self.wanted.notify_one();
        }
        usual
            .as_ref()
            .map(|(_, usual)| Arc::clone(usual))
            .unwrap_or_default()
    }

    /// Recomputes [`Reports::usual`] whenever it is requested, until `stop`.
    pub async fn follow(self, stop: CancellationToken) {
        let counting = async {
            loop {
                self.wanted.notified().await;
                self.recount(Timestamp::now()).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = counting => {}
        }
    }

    /// If it cannot be computed now, the previous result stays.
    async fn recount(&self, now: Timestamp) {
        let counted = self.count(now).await.map(Arc::new);
        let mut usual = self.usual.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = counted
            .or_else(|| usual.as_ref().map(|(_, usual)| Arc::clone(usual)))
            .unwrap_or_default();
        *usual = Some((Instant::now(), kept));
    }

    async fn count(&self, now: Timestamp) -> Option<Vec<Restore>> {
        let source = self.source().ok()?;
        let from = now
            .checked_sub(SignedDuration::from_hours(24 * USUAL_DAYS))
            .ok()?;
        let period =
            Period::between(&from.to_string(), &now.to_string(), &source.zone, now).ok()?;
        made(&self.turn, source, period, now)
            .await
            .ok()
            .map(|report| report.restore)
    }

    fn source(&self) -> ApiResult<ReportSource> {
        self.source
            .as_ref()
            .map(|source| source())
            .ok_or_else(error::no_history)
    }
}

/// The availability of the laboratory in a month, or in another time of at most 400 days, by the
/// rule stated in the report.
#[utoipa::path(get, path = "/api/v2/availability", tag = "history", params(AvailabilityParams), responses(
    (status = 200, description = "The report", content((Report = "application/json"), (String = "text/csv"), (String = "text/html"))),
))]
async fn availability(State(reports): State<Reports>, RawQuery(query): RawQuery) -> ApiResult {
    let params = Params::parse(
        query.as_deref(),
        &["period", "from", "until", "by", "format"],
    )?;
    let by = params.word::<Rows>("by")?.map(By::from);
    let format = params.word("format")?.unwrap_or(Format::Json);
    let source = reports.source()?;
    let now = Timestamp::now();
    let period = period(&params, &source.zone, now)?;
    let report = made(&reports.turn, source, period, now).await?;
    let report = match by {
        Some(by) => report.only(by),
        None => report,
    };
    written(&report, format, by.unwrap_or(By::Experiment))
}

fn period(params: &Params, zone: &TimeZone, now: Timestamp) -> ApiResult<Period> {
    let period = match (
        params.text("period"),
        params.text("from"),
        params.text("until"),
    ) {
        (Some(month), None, None) => Period::month(month, zone, now),
        (None, Some(from), Some(until)) => Period::between(from, until, zone, now),
        (None, None, None) => Period::last_month(zone, now),
        _ => {
            return Err(ApiError::new(
                Reason::InvalidParameter,
                "say either period=2026-10, or from= and until=, or none of them",
            ));
        }
    };
    period.map_err(|why| ApiError::new(Reason::InvalidParameter, why))
}

async fn made(
    turn: &Arc<Semaphore>,
    source: ReportSource,
    period: Period,
    now: Timestamp,
) -> ApiResult<Report> {
    let turn = tokio::time::timeout(MAKE_WITHIN, Arc::clone(turn).acquire_owned()).await;
    let turn = turn
        .map_err(|_| error::too_slow())?
        .map_err(|_| error::internal())?;
    let making = tokio::task::spawn_blocking(move || {
        // Kept until the report is made, also when no request waits for it any more.
        let _turn = turn;
        reports::of_folder(
            &source.folder,
            &period,
            &source.planned,
            now,
            Instant::now() + MAKE_WITHIN,
        )
    });
    let made = making.await.map_err(|fault| {
        tracing::error!(%fault, "a report cannot be made");
        error::internal()
    })?;
    made.map_err(|fault| match fault {
        ReadError::TooMuch => ApiError::new(
            Reason::TooMuch,
            "so much cannot be counted at once: ask for a shorter time",
        ),
        ReadError::Failed(why) => {
            tracing::warn!(why, "the history cannot be read for a report");
            error::unavailable("the history cannot be read now; labwatch's log says why")
        }
        ReadError::Busy | ReadError::Closed => ApiError::new(Reason::Busy, fault),
    })
}

fn written(report: &Report, format: Format, by: By) -> ApiResult {
    let kind = |kind| [(CONTENT_TYPE, HeaderValue::from_static(kind))];
    match format {
        Format::Json => answer(report),
        Format::Csv => {
            let name = [(
                CONTENT_DISPOSITION,
                HeaderValue::from_static("attachment; filename=\"labwatch-report.csv\""),
            )];
            Ok((
                kind("text/csv; charset=utf-8"),
                name,
                reports::csv(report, by),
            )
                .into_response())
        }
        Format::Html => Ok((
            kind("text/html; charset=utf-8"),
            [(CONTENT_SECURITY_POLICY, PAGE_POLICY)],
            reports::html(report),
        )
            .into_response()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicI64, Ordering};

    use axum::body::to_bytes;
    use axum::http::HeaderMap;
    use engine::model::{Health, JumpHealth, Stub};

    use super::*;
    use crate::store::{Entry, Store, StoreSettings};

    fn source(folder: PathBuf, zone: TimeZone) -> ReportSourcing {
        Arc::new(move || ReportSource {
            folder: folder.clone(),
            zone: zone.clone(),
            planned: Vec::new(),
        })
    }

    /// The status, headers and body of the answer to a query, from this folder.
    async fn ask_of(folder: PathBuf, query: &str) -> (u16, HeaderMap, String) {
        let reports = Reports::of(Some(source(folder, TimeZone::UTC)));
        let query = query.strip_prefix('?').map(str::to_owned);
        let answer = availability(State(reports), RawQuery(query))
            .await
            .into_response();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
        (
            status,
            headers,
            String::from_utf8(body.to_vec()).expect("UTF-8"),
        )
    }

    /// The same, from a folder with a new store.
    async fn ask(query: &str) -> (u16, HeaderMap, String) {
        let dir = tempfile::tempdir().expect("a folder");
        let settings = StoreSettings {
            dir: dir.path().to_owned(),
            history_days: 10,
            ring: 1,
        };
        let _store = Store::open(&settings).expect("it opens");
        ask_of(dir.path().to_owned(), query).await
    }

    #[tokio::test]
    async fn a_report_comes_in_three_forms() {
        let (status, _, body) = ask("?period=2026-10").await;
        let report: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(
            (
                status,
                report["period"].as_str(),
                report["total"]["name"].as_str()
            ),
            (200, Some("2026-10"), Some("all"))
        );
        let (status, headers, body) = ask("?period=2026-10&format=csv&by=pool").await;
        assert_eq!(
            (status, headers[CONTENT_TYPE].to_str().ok()),
            (200, Some("text/csv; charset=utf-8"))
        );
        assert!(body.starts_with("pool,experiments,"), "{body}");
        let (status, headers, body) = ask("?from=2026-10-01&until=2026-10-08&format=html").await;
        assert_eq!(
            (status, &headers[CONTENT_SECURITY_POLICY]),
            (200, &PAGE_POLICY)
        );
        assert!(
            body.starts_with("<!DOCTYPE html>") && body.contains("How this is counted"),
            "{body}"
        );
        assert_eq!(ask("").await.0, 200, "the last month");
    }

    #[tokio::test]
    async fn the_page_gets_the_same_reports() {
        let dir = tempfile::tempdir().expect("a folder");
        let settings = StoreSettings {
            dir: dir.path().to_owned(),
            history_days: 10,
            ring: 1,
        };
        let _store = Store::open(&settings).expect("it opens");
        let zone = TimeZone::get("Europe/London").expect("is known");
        let reports = Reports::of(Some(source(dir.path().to_owned(), zone)));
        let now = "2026-02-28T23:30:00Z".parse().expect("a time");
        assert_eq!(reports.months(3, now), ["2026-02", "2026-01", "2025-12"]);
        assert_eq!(
            reports
                .month(Some("2026-01"), now)
                .await
                .map(|report| report.period),
            Ok("2026-01".to_owned())
        );
        assert_eq!(
            reports.month(None, now).await.map(|report| report.period),
            Ok("2026-02".to_owned()),
            "nothing was evaluated in the last month"
        );
        assert!(reports.month(Some("january"), now).await.is_err());
        assert_eq!(
            *reports.usual(),
            [],
            "nothing is counted before it is asked for"
        );
        assert!(
            tokio::time::timeout(MAKE_WITHIN, reports.wanted.notified())
                .await
                .is_ok()
        );
        reports.recount(now).await;
        assert!(reports.usual.lock().expect("whole").is_some());
        assert!(
            Reports::of(None)
                .month(None, now)
                .await
                .is_err_and(|NoReport(why)| why.contains("STATUS_DATA_DIR"))
        );
    }

    /// Simulates a run of an hour from this time in this folder, with an experiment that is ok.
    async fn ran(folder: &Path, from: Timestamp) {
        let settings = StoreSettings {
            dir: folder.to_owned(),
            history_days: 1_000,
            ring: 1,
        };
        let clock = Arc::new(AtomicI64::new(from.as_second()));
        let now = {
            let clock = Arc::clone(&clock);
            move || Timestamp::from_second(clock.load(Ordering::SeqCst)).expect("a time")
        };
        let (store, _) = Store::open_with_clock(&settings, Arc::new(now)).expect("it opens");
        let event = engine::Event {
            when: from,
            health: Health::Ok,
            was: Health::Unknown,
            issues: Vec::new(),
            jump: JumpHealth::Up,
            streams: Vec::new(),
            why: engine::Why::Observed,
        };
        let record = engine::Record::Event {
            stub: Stub::try_new("pend00").expect("a name"),
            event: Arc::new(event),
        };
        let ticket = store.write(vec![Entry::Record { at: from, record }]);
        store.durable(ticket).await;
        clock.fetch_add(3_600, Ordering::SeqCst);
        store.close();
    }

    #[tokio::test]
    async fn the_newest_month_with_data_is_shown_first() {
        let dir = tempfile::tempdir().expect("a folder");
        let reports = Reports::of(Some(source(dir.path().to_owned(), TimeZone::UTC)));
        let now = "2026-02-20T00:00:00Z".parse().expect("a time");
        for (ran_from, shown) in [
            ("2026-01-10T00:00:00Z", "2026-01"),
            ("2026-02-10T00:00:00Z", "2026-02"),
        ] {
            ran(dir.path(), ran_from.parse().expect("a time")).await;
            let report = reports.month(None, now).await.expect("a report");
            assert_eq!(report.period, shown, "{:?}", report.total);
        }
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
        let nowhere = availability(State(Reports::of(None)), RawQuery(None))
            .await
            .into_response();
        assert_eq!(nowhere.status().as_u16(), 404);
    }
}
