//! An experiment in a list: the part that is the same for all readers, so that it is written as
//! JSON once until it changes.

use serde::Serialize;
use utoipa::ToSchema;

use super::each;
use super::time::Timestamp;
use super::words::{
    Bookable, Evidence, Health, JumpHealth, Mismatch, StreamHealth, SuppressionKind,
};
use engine::{self, Affected, ExperimentView, FlapView, ResourceView, StreamView};

/// An experiment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Experiment)]
pub(super) struct Line<'a> {
    /// Its name: the common part of the names of its streams and its host.
    #[schema(example = "pend00")]
    pub(super) name: &'a str,
    /// Its health.
    health: Health,
    /// Since when its health has not changed.
    since: Timestamp,
    /// What is wrong, most important first.
    issues: Vec<Issue>,
    /// The state of flapping; null when it does not flap.
    #[schema(required)]
    flapping: Option<Flapping>,
    /// The suppression of notifications about it; null when there is none.
    #[schema(required)]
    suppression: Option<Suppression>,
    /// Whether book's manifest lists it.
    listed: bool,
    /// Whether it can be booked. Of several resources the worst.
    bookable: Bookable,
    /// The reason that book stores with it.
    reason: &'a str,
    /// The contradiction between health and bookability; null where there is none.
    #[schema(required)]
    mismatch: Option<Mismatch>,
    /// The pools of interchangeable experiments that it is in.
    pools: Vec<&'a str>,
    /// Its bookings.
    bookings: Bookings,
    /// Its jump connection (the remote login).
    jump: JumpHealth,
    /// Its streams, sorted by topic.
    streams: Vec<Stream<'a>>,
    /// The names that it has in book, sorted.
    resources: Vec<&'a str>,
    /// Until when it has its start-up grace, in which it is not evaluated; null when that is over.
    #[schema(required)]
    grace_until: Option<Timestamp>,
}

/// A problem.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Issue {
    /// For programs: `missing jump`, `missing required <topic>`, `unhealthy <topic>`, `relay
    /// outage`.
    #[schema(example = "missing required pend00-st-data")]
    code: String,
    /// As text.
    #[schema(example = "pend00-st-data is missing")]
    text: String,
}

/// The state of flapping.
#[derive(Debug, Serialize, ToSchema)]
struct Flapping {
    /// Since when.
    since: Timestamp,
    /// When it counts as stable if it does not change until then.
    steady_at: Timestamp,
}

/// The suppression of notifications about an experiment.
#[derive(Debug, Serialize, ToSchema)]
struct Suppression {
    /// Its kind.
    kind: SuppressionKind,
    /// When it ends; null when it does as soon as the experiment is well.
    #[schema(required)]
    until: Option<Timestamp>,
}

/// The present and coming bookings of an experiment or a pool, without their users.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Bookings {
    /// How many are under way or start within 24 h.
    next_day: usize,
    /// How many are under way or start within 7 d, including those of the next day.
    next_week: usize,
    /// When the first one starts, in the past when it is under way; null when there is none.
    #[schema(required)]
    first_start: Option<Timestamp>,
    /// Whether one is under way that its user has started.
    in_session: bool,
}

/// A stream.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StreamLine)]
pub(super) struct Stream<'a> {
    /// Its topic in relay.
    #[schema(example = "pend00-st-data")]
    topic: &'a str,
    /// Whether book's manifest requires it.
    required: bool,
    /// Its health.
    health: StreamHealth,
    /// The evidence that it transmits.
    evidence: Evidence,
}

impl<'a> Line<'a> {
    pub(super) fn new(view: &'a ExperimentView) -> Self {
        Self {
            name: view.stub.as_str(),
            health: view.health.into(),
            since: view.since.into(),
            issues: issues(&view.issues),
            flapping: view.flapping.map(|FlapView { since, steady_at }| Flapping {
                since: since.into(),
                steady_at: steady_at.into(),
            }),
            suppression: view.suppression.as_ref().map(|suppression| Suppression {
                kind: suppression.kind.into(),
                until: suppression.until.map(Timestamp::from),
            }),
            listed: view.listed,
            bookable: view.bookable().into(),
            reason: reason(view),
            mismatch: view.mismatch().map(Mismatch::from),
            pools: view.pools.iter().map(|name| &**name).collect(),
            bookings: Bookings::new(view.affected),
            jump: view.jump.into(),
            streams: view.streams.iter().map(Stream::new).collect(),
            resources: each(&view.resources, |resource| resource.name.as_str()),
            grace_until: view.grace_until.map(Timestamp::from),
        }
    }
}

impl Bookings {
    pub(super) fn new(affected: Affected) -> Self {
        Self {
            next_day: affected.next_day,
            next_week: affected.next_week,
            first_start: affected.first_start.map(Timestamp::from),
            in_session: affected.in_session,
        }
    }
}

impl<'a> Stream<'a> {
    pub(super) fn new(stream: &'a StreamView) -> Self {
        Self {
            topic: stream.topic.as_str(),
            required: stream.required,
            health: stream.health.into(),
            evidence: stream.evidence.into(),
        }
    }
}

pub(super) fn issues(issues: &[engine::Issue]) -> Vec<Issue> {
    each(issues, |issue| Issue {
        code: issue.code(),
        text: issue.to_string(),
    })
}

/// The reason of the resource that decides whether the experiment can be booked.
fn reason(view: &ExperimentView) -> &str {
    let decides = view.bookable();
    let deciding = |resource: &&ResourceView| decides.is_some() && resource.bookable == decides;
    view.resources
        .iter()
        .find(deciding)
        .map_or("", |resource| &resource.reason)
}
