//! What happened to one experiment: events, uptime, incidents and switches, from the history.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::Uri;
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::DAY;
use super::incidents::{Incidents, incidents_of};
use super::params::{self, Params};
use super::records;
use super::summary::{self, Issue};
use crate::http::auth::Viewer;
use crate::http::error::{self, ApiError};
use crate::http::routes::{Served, answer};
use crate::store::{Bucket, Cursor, MAX_BUCKETS, MAX_ROWS, Range, Subject};
use engine;
use engine::model::Stub;

const HOUR: Duration = Duration::from_secs(3_600);

/// How much of the past is told where nothing else is asked for.
const MONTH: Duration = Duration::from_secs(30 * 24 * 3_600);

/// How much of the past is counted day by day where nothing else is asked for.
const NINETY_DAYS: Duration = Duration::from_secs(90 * 24 * 3_600);

/// A change of an experiment's health, as it was at that moment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PastEvent)]
pub(super) struct Event<'a> {
    /// Its number in the history; null for one that comes from the running process.
    #[schema(required)]
    id: Option<i64>,
    /// When it was decided.
    when: Timestamp,
    /// The health from then on: `ok`, `degraded`, `flapping`, `down` or `unknown`.
    #[schema(example = "down")]
    health: &'static str,
    /// The health until then.
    #[schema(example = "ok")]
    was: &'static str,
    /// What was wrong, most important first.
    issues: Vec<Issue>,
    /// The remote login: `up`, `lost` or `unknown`.
    #[schema(example = "up")]
    jump: &'static str,
    /// How each stream was, by topic.
    #[schema(value_type = BTreeMap<String, String>, example = json!({"pend00-st-data": "silent"}))]
    streams: BTreeMap<&'a str, &'static str>,
    /// What led to the decision, in plain words.
    #[schema(example = "its streams or its remote login changed")]
    why: String,
}

impl<'a> Event<'a> {
    pub(super) fn new(id: Option<i64>, event: &'a engine::Event) -> Self {
        Self {
            id,
            when: event.when,
            health: event.health.as_str(),
            was: event.was.as_str(),
            issues: summary::issues(&event.issues),
            jump: event.jump.as_str(),
            streams: event
                .streams
                .iter()
                .map(|(topic, health)| (topic.as_str(), health.as_str()))
                .collect(),
            why: event.why.to_string(),
        }
    }
}

/// A part of the events of an experiment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PastEvents)]
pub(super) struct Events<'a> {
    /// The events, newest first.
    events: Vec<Event<'a>>,
    /// What `cursor` has to be for older ones; null when there are none.
    #[schema(required)]
    next: Option<String>,
}

/// What happened to an experiment, newest first.
#[utoipa::path(
    get,
    path = "/api/v2/experiments/{name}/events",
    tag = "history",
    params(
        ("name" = String, Path, description = "The experiment's name, also of one that is forgotten", example = "pend00"),
        ("from" = Option<Timestamp>, Query, description = "From when; 30 days before `until` where it is not given"),
        ("until" = Option<Timestamp>, Query, description = "Until when, itself not included; now where it is not given"),
        ("limit" = Option<usize>, Query, description = "At most so many, from 1 to 1000; 100 where it is not given", example = 100),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "The events. None where the name was never known", body = Events<'static>),
        (status = 400, description = "A parameter is not known or not understood", body = ApiError),
        (status = 404, description = "labwatch keeps no history", body = ApiError),
        (status = 503, description = "The history does not answer now", body = ApiError),
    )
)]
pub(in crate::http) async fn events(
    State(served): State<Arc<Served>>,
    name: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    uri: Uri,
) -> Result<Response, ApiError> {
    let stub = stub(name, &uri)?;
    let params = Params::parse(query.as_deref(), &["from", "until", "limit", "cursor"])?;
    let range = params.range(served.snapshot().at, MONTH)?;
    let limit = params.limit(MAX_ROWS)?.unwrap_or(100);
    let before = params::cursor(&params, |id| id.parse().ok())?.map(|(at, id)| Cursor { at, id });
    let page = served
        .past
        .ask(|reader| reader.events(&stub, range, before, limit))
        .await?;
    let events = page
        .events
        .iter()
        .map(|stored| Event::new(Some(stored.id), &stored.event))
        .collect();
    answer(&Events {
        events,
        next: page.next.map(|next| format!("{}~{}", next.at, next.id)),
    })
}

/// How long an experiment was in which state, in buckets of equal length.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Uptime {
    /// When the first bucket begins.
    from: Timestamp,
    /// When the last bucket ends.
    until: Timestamp,
    /// The length of a bucket, in seconds: an hour or a day. Days are those of UTC.
    #[schema(example = 86400)]
    bucket_seconds: u64,
    /// The buckets, oldest first.
    buckets: Vec<Share>,
}

/// A bucket. Together the seconds are as long as the part of it that is past.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Share {
    /// Seconds in which everything was there.
    ok: i64,
    /// Seconds in which it was usable, with a loss.
    degraded: i64,
    /// Seconds in which it came and went, and was withdrawn.
    flapping: i64,
    /// Seconds in which students could not use it.
    down: i64,
    /// Seconds in which it was not judged, or not known yet.
    unknown: i64,
    /// Seconds of which there is no history: labwatch was off, or its disk took nothing.
    gap: i64,
    /// The share of the judged time in which it was usable, 0 to 1; null when nothing was judged.
    #[schema(required, example = 0.99)]
    usable: Option<f64>,
}

/// How long an experiment was in which state, by hours or days.
#[utoipa::path(
    get,
    path = "/api/v2/experiments/{name}/uptime",
    tag = "history",
    params(
        ("name" = String, Path, description = "The experiment's name, also of one that is forgotten", example = "pend00"),
        ("step" = Option<String>, Query, description = "`hour` or `day`; `day` where it is not given", example = "day"),
        ("from" = Option<Timestamp>, Query, description = "From when, taken back to the beginning of its hour or day in UTC; \
            where it is not given 24 h before `until` by hours, 90 days by days"),
        ("until" = Option<Timestamp>, Query, description = "Until when; now where it is not given"),
    ),
    responses(
        (status = 200, description = "The buckets, at most 1000", body = Uptime),
        (status = 400, description = "A parameter is not known or not understood, or the time is too long", body = ApiError),
        (status = 404, description = "labwatch keeps no history", body = ApiError),
        (status = 503, description = "The history does not answer now", body = ApiError),
    )
)]
pub(in crate::http) async fn uptime(
    State(served): State<Arc<Served>>,
    name: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    uri: Uri,
) -> Result<Response, ApiError> {
    let stub = stub(name, &uri)?;
    let params = Params::parse(query.as_deref(), &["step", "from", "until"])?;
    let (step, span) = match params.text("step") {
        Some("hour") => (HOUR, DAY),
        Some("day") | None => (DAY, NINETY_DAYS),
        Some(other) => {
            return Err(error::malformed(format!(
                "step={other:?} is not understood; allowed: hour, day"
            )));
        }
    };
    let range = aligned(params.range(served.snapshot().at, span)?, step);
    let buckets = served
        .past
        .ask(|reader| reader.uptime(&stub, range, step))
        .await
        .map_err(too_long)?;
    let buckets = buckets.iter().map(Share::new).collect();
    answer(&Uptime {
        from: range.from,
        until: range.until,
        bucket_seconds: step.as_secs(),
        buckets,
    })
}

fn too_long(error: ApiError) -> ApiError {
    if error.is_bad_request() {
        error::malformed(format!(
            "the time is too long: more than {MAX_BUCKETS} buckets"
        ))
    } else {
        error
    }
}

/// The range from the beginning of the bucket that it begins in. Buckets begin at whole hours or days of UTC.
fn aligned(range: Range, step: Duration) -> Range {
    let second = range.from.as_second();
    let into = i64::try_from(step.as_secs())
        .ok()
        .and_then(|step| second.checked_rem_euclid(step))
        .unwrap_or(0);
    Range {
        from: Timestamp::from_second(second.saturating_sub(into)).unwrap_or(range.from),
        until: range.until,
    }
}

impl Share {
    fn new(bucket: &Bucket) -> Self {
        let Bucket {
            ok,
            degraded,
            flapping,
            down,
            unknown,
            gap,
        } = *bucket;
        let [ok, degraded, flapping, down, unknown, gap] =
            [ok, degraded, flapping, down, unknown, gap].map(|millis| millis / 1_000);
        Self {
            ok,
            degraded,
            flapping,
            down,
            unknown,
            gap,
            usable: bucket.usable(),
        }
    }
}

/// The bad times of an experiment, newest first: each from the first time that it was degraded or down until it was ok again.
#[utoipa::path(
    get,
    path = "/api/v2/experiments/{name}/incidents",
    tag = "history",
    params(
        ("name" = String, Path, description = "The experiment's name, also of one that is forgotten", example = "pend00"),
        ("from" = Option<Timestamp>, Query, description = "From when; 30 days before `until` where it is not given"),
        ("until" = Option<Timestamp>, Query, description = "Until when; now where it is not given"),
        ("limit" = Option<usize>, Query, description = "At most so many, from 1 to 1000; 100 where it is not given", example = 100),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "The bad times that touch the range", body = Incidents),
        (status = 400, description = "A parameter is not known or not understood, or the answer would be too long", body = ApiError),
        (status = 404, description = "labwatch keeps no history", body = ApiError),
        (status = 503, description = "The history does not answer now", body = ApiError),
    )
)]
pub(in crate::http) async fn incidents(
    State(served): State<Arc<Served>>,
    name: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    uri: Uri,
    Viewer(sight): Viewer,
) -> Result<Response, ApiError> {
    let subject = Subject::Experiment(stub(name, &uri)?);
    incidents_of(&served, Some(subject), query.as_deref(), sight).await
}

/// What labwatch did to the availability of an experiment in book, newest first, at most 1000.
#[utoipa::path(
    get,
    path = "/api/v2/experiments/{name}/switches",
    tag = "history",
    params(
        ("name" = String, Path, description = "The experiment's name, also of one that is forgotten", example = "pend00"),
        ("from" = Option<Timestamp>, Query, description = "From when; 30 days before `until` where it is not given"),
        ("until" = Option<Timestamp>, Query, description = "Until when, itself not included; now where it is not given"),
    ),
    responses(
        (status = 200, description = "The switches", body = records::Switches),
        (status = 400, description = "A parameter is not known or not understood", body = ApiError),
        (status = 404, description = "labwatch keeps no history", body = ApiError),
        (status = 503, description = "The history does not answer now", body = ApiError),
    )
)]
pub(in crate::http) async fn switches(
    State(served): State<Arc<Served>>,
    name: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    uri: Uri,
    Viewer(sight): Viewer,
) -> Result<Response, ApiError> {
    let stub = stub(name, &uri)?;
    let range = range(&served, query.as_deref())?;
    let rows = served
        .past
        .ask(|reader| reader.switches_of(&stub, range))
        .await?;
    answer(&records::Switches::new(&rows, sight))
}

/// The range of a request that can say nothing else.
pub(super) fn range(served: &Served, query: Option<&str>) -> Result<Range, ApiError> {
    Params::parse(query, &["from", "until"])?.range(served.snapshot().at, MONTH)
}

/// The range, the limit and the rest of a request for a list in pages.
pub(super) fn paged(
    served: &Served,
    query: Option<&str>,
) -> Result<(Params, Range, usize), ApiError> {
    let params = Params::parse(query, &["from", "until", "limit", "cursor"])?;
    let range = params.range(served.snapshot().at, MONTH)?;
    let limit = params.limit(MAX_ROWS)?.unwrap_or(100);
    Ok((params, range, limit))
}

fn stub(name: Result<Path<String>, PathRejection>, uri: &Uri) -> Result<Stub, ApiError> {
    let Path(name) = name.map_err(|_| error::no_such_path(uri))?;
    Stub::try_new(&name).map_err(|_| error::no_such_path(uri))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_begin_at_whole_hours_and_days() {
        let range = |from: &str| Range {
            from: from.parse().expect("a time"),
            until: Timestamp::MAX,
        };
        for (from, step, expect) in [
            ("2026-11-21T08:12:30.5Z", HOUR, "2026-11-21T08:00:00Z"),
            ("2026-11-21T08:12:30.5Z", DAY, "2026-11-21T00:00:00Z"),
            ("2026-11-21T00:00:00Z", DAY, "2026-11-21T00:00:00Z"),
            ("1969-12-31T23:30:00Z", HOUR, "1969-12-31T23:00:00Z"),
        ] {
            assert_eq!(aligned(range(from), step).from.to_string(), expect);
        }
    }
}
