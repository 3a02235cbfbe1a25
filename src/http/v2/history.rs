//! The history of one experiment: events, uptime, incidents and switches. A name that neither the
//! snapshot nor the history knows is not found.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::Uri;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::incidents::{Incident, incidents_of};
use super::page::{Page, PageParams};
use super::params::Params;
use super::records::{self, RangeParams, Switch};
use super::summary::{self, Issue};
use super::time::{DAY, Timestamp};
use super::words::{Health, JumpHealth, StreamHealth};
use crate::http::auth::Viewer;
use crate::http::error::{self, ApiError, ApiResult, Reason};
use crate::http::json::answer;
use crate::http::named::Named;
use crate::http::served::Served;
use crate::store::{Bucket, MAX_BUCKETS, Range, Subject};
use engine::model::Gather as _;
use engine::model::Stub;

const HOUR: Duration = Duration::from_secs(3_600);

/// The default length of the history that is counted day by day.
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
    /// The health from then on.
    health: Health,
    /// The health until then.
    was: Health,
    /// What was wrong, most important first.
    issues: Vec<Issue>,
    /// The jump connection.
    jump: JumpHealth,
    /// The health of each stream, by topic.
    #[schema(value_type = BTreeMap<String, StreamHealth>, example = json!({"pend00-st-data": "silent"}))]
    streams: BTreeMap<&'a str, StreamHealth>,
    /// What led to the decision, as text.
    #[schema(example = "its streams or its remote login changed")]
    why: String,
}

impl<'a> Event<'a> {
    pub(super) fn new(id: Option<i64>, event: &'a engine::Event) -> Self {
        Self {
            id,
            when: event.when.into(),
            health: event.health.into(),
            was: event.was.into(),
            issues: summary::issues(&event.issues),
            jump: event.jump.into(),
            streams: event
                .streams
                .iter()
                .map(|(topic, health)| (topic.as_str(), (*health).into()))
                .gather(),
            why: event.why.to_string(),
        }
    }
}

/// The events of an experiment, newest first.
#[utoipa::path(get, path = "/api/v2/experiments/{name}/events", tag = "history",
    params(("name" = String, Path, min_length = 1, max_length = 256, description = "The experiment's name, also of one that was removed", example = "pend00"), RangeParams, PageParams),
    responses((status = 200, description = "A page, newest first", body = Page<Event<'static>>)))]
pub(super) async fn list_events(
    State(served): State<Arc<Served>>,
    Named(name): Named<String>,
    uri: Uri,
) -> ApiResult {
    let stub = known(&served, &name).await?;
    records::page_of(
        &served,
        &uri,
        |reader, part| reader.events(&stub, part),
        OwnedEvent,
    )
    .await
}

/// An [`Event`] that owns its data.
struct OwnedEvent(crate::store::StoredEvent);

impl Serialize for OwnedEvent {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Event::new(Some(self.0.id), &self.0.event).serialize(serializer)
    }
}

/// How long an experiment was in each state, in buckets of equal length.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Uptime {
    /// The start of the first bucket.
    from: Timestamp,
    /// The end of the last bucket.
    until: Timestamp,
    /// The length of a bucket, in seconds: an hour or a day. Days are those of UTC.
    #[schema(example = 86400)]
    bucket_seconds: u64,
    /// The buckets, oldest first.
    buckets: Vec<Share>,
}

/// A bucket. The seconds add up to the part of it that is past.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Share {
    /// Seconds in which it was ok.
    ok: i64,
    /// Seconds in which it was usable, with a loss.
    degraded: i64,
    /// Seconds in which it was flapping, and was withdrawn.
    flapping: i64,
    /// Seconds in which students could not use it.
    down: i64,
    /// Seconds in which it was not evaluated, or not known yet.
    unknown: i64,
    /// Seconds without history: labwatch was off, or its disk could not be written.
    gap: i64,
    /// The share of the evaluated time in which it was usable, 0 to 1; null when nothing was
    /// evaluated.
    #[schema(required, example = 0.99)]
    usable: Option<f64>,
}

/// The length of a bucket.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Step {
    Hour,
    Day,
}

/// The division of time into buckets.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it documents what `uptime` reads")]
pub(super) struct UptimeParams {
    /// The length of a bucket; by default a day.
    #[param(inline)]
    step: Option<Step>,
    /// The start, rounded down to the beginning of its hour or day in UTC; by default 24 h before
    /// `until` for hours, 90 days for days.
    from: Option<Timestamp>,
    /// The end; by default now.
    until: Option<Timestamp>,
}

/// How long an experiment was in each state, by hours or days.
#[utoipa::path(get, path = "/api/v2/experiments/{name}/uptime", tag = "history",
    params(("name" = String, Path, min_length = 1, max_length = 256, description = "The experiment's name, also of one that was removed", example = "pend00"), UptimeParams),
    responses((status = 200, description = "The buckets, at most 1000", body = Uptime)))]
pub(super) async fn uptime(
    State(served): State<Arc<Served>>,
    Named(name): Named<String>,
    uri: Uri,
) -> ApiResult {
    let stub = known(&served, &name).await?;
    let params = Params::parse(uri.query(), &["step", "from", "until"])?;
    let (step, span) = match params.word("step")?.unwrap_or(Step::Day) {
        Step::Hour => (HOUR, DAY),
        Step::Day => (DAY, NINETY_DAYS),
    };
    let range = aligned(params.range(served.snapshot().at, span)?, step);
    let buckets = served
        .past
        .ask(|reader| reader.uptime(&stub, range, step))
        .await
        .map_err(too_long)?;
    let buckets = buckets.iter().map(Share::new).collect();
    answer(&Uptime {
        from: range.from.into(),
        until: range.until.into(),
        bucket_seconds: step.as_secs(),
        buckets,
    })
}

fn too_long(error: ApiError) -> ApiError {
    if error.reason() == Reason::TooMuch {
        ApiError::new(
            Reason::TooMuch,
            format!("the time is too long: more than {MAX_BUCKETS} buckets"),
        )
    } else {
        error
    }
}

/// The range, extended to the start of its first bucket. Buckets begin at whole hours or days of
/// UTC.
fn aligned(range: Range, step: Duration) -> Range {
    let second = range.from.as_second();
    let into = i64::try_from(step.as_secs())
        .ok()
        .and_then(|step| second.checked_rem_euclid(step))
        .unwrap_or(0);
    Range {
        from: jiff::Timestamp::from_second(second.saturating_sub(into)).unwrap_or(range.from),
        until: range.until,
    }
}

impl Share {
    fn new(bucket: &Bucket) -> Self {
        let seconds = |millis: i64| millis / 1_000;
        Self {
            ok: seconds(bucket.ok),
            degraded: seconds(bucket.degraded),
            flapping: seconds(bucket.flapping),
            down: seconds(bucket.down),
            unknown: seconds(bucket.unknown),
            gap: seconds(bucket.gap),
            usable: bucket.usable(),
        }
    }
}

/// The incidents of an experiment, newest first: each from the first time that it was degraded or
/// down until it was ok again.
#[utoipa::path(get, path = "/api/v2/experiments/{name}/incidents", tag = "history", operation_id = "list_incidents_of_experiment",
    params(("name" = String, Path, min_length = 1, max_length = 256, description = "The experiment's name, also of one that was removed", example = "pend00"), RangeParams, PageParams),
    responses((status = 200, description = "A page of those that touch the range, newest first", body = Page<Incident>)))]
pub(super) async fn list_incidents(
    State(served): State<Arc<Served>>,
    Named(name): Named<String>,
    uri: Uri,
    Viewer(sight): Viewer,
) -> ApiResult {
    let subject = Subject::Experiment(known(&served, &name).await?);
    incidents_of(&served, Some(subject), &uri, sight).await
}

/// The switches of an experiment's availability in book by labwatch, newest first.
#[utoipa::path(get, path = "/api/v2/experiments/{name}/switches", tag = "history", operation_id = "list_switches_of_experiment",
    params(("name" = String, Path, min_length = 1, max_length = 256, description = "The experiment's name, also of one that was removed", example = "pend00"), RangeParams, PageParams),
    responses((status = 200, description = "A page, newest first", body = Page<Switch>)))]
pub(super) async fn list_switches(
    State(served): State<Arc<Served>>,
    Named(name): Named<String>,
    uri: Uri,
    Viewer(sight): Viewer,
) -> ApiResult {
    let stub = known(&served, &name).await?;
    records::switches_of(&served, Some(stub), &uri, sight).await
}

/// The experiment named by a path, which the snapshot or the history must know.
async fn known(served: &Served, name: &str) -> ApiResult<Stub> {
    let nothing = || error::no_such_experiment(name);
    let stub = Stub::try_new(name).map_err(|_| nothing())?;
    let is_known = served.snapshot().experiment(name).is_some();
    if is_known || served.past.is_kept() && served.past.ask(|reader| reader.knows(&stub)).await? {
        Ok(stub)
    } else {
        Err(nothing())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_begin_at_whole_hours_and_days() {
        let range = |from: &str| Range {
            from: from.parse().expect("a time"),
            until: jiff::Timestamp::MAX,
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
