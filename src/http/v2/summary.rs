//! An experiment in a list: what the snapshot tells every reader of it, so that it is written as
//! JSON once for as long as it does not change.

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
    /// Its name: what its streams and its host share.
    #[schema(example = "pend00")]
    pub(super) name: &'a str,
    /// How it is.
    health: Health,
    /// Since when.
    since: Timestamp,
    /// What is wrong, most important first.
    issues: Vec<Issue>,
    /// How it flaps; null when it does not.
    #[schema(required)]
    flapping: Option<Flapping>,
    /// What suppresses notifications about it; null when nothing does.
    #[schema(required)]
    suppression: Option<Suppression>,
    /// Whether book's manifest lists it.
    listed: bool,
    /// Whether it can be booked. Of several resources the worst.
    bookable: Bookable,
    /// The reason that book stores with it.
    reason: &'a str,
    /// Where health and bookability do not fit; null where they do.
    #[schema(required)]
    mismatch: Option<Mismatch>,
    /// The pools of interchangeable experiments that it is in.
    pools: Vec<&'a str>,
    /// Who needs it, and when.
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

/// One thing that is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Issue {
    /// For programs: `missing jump`, `missing required <topic>`, `unhealthy <topic>`, `relay
    /// outage`.
    #[schema(example = "missing required pend00-st-data")]
    code: String,
    /// For people.
    #[schema(example = "pend00-st-data is missing")]
    text: String,
}

/// How an experiment flaps.
#[derive(Debug, Serialize, ToSchema)]
struct Flapping {
    /// Since when.
    since: Timestamp,
    /// When it counts as steady if it neither comes nor goes until then.
    steady_at: Timestamp,
}

/// What suppresses notifications about an experiment.
#[derive(Debug, Serialize, ToSchema)]
struct Suppression {
    /// What suppresses it.
    kind: SuppressionKind,
    /// When that ends; null when it does as soon as the experiment is well.
    #[schema(required)]
    until: Option<Timestamp>,
}

/// The bookings of something that are under way or to come. Whose they are is not known here.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Bookings {
    /// How many are under way or start within 24 h.
    next_day: usize,
    /// How many are under way or start within 7 d, those of the next day among them.
    next_week: usize,
    /// When the first of all of them starts, in the past when it is under way; null when there is
    /// none.
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
    /// How it is.
    health: StreamHealth,
    /// How it is known whether it transmits.
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
            suppression: view.quiet.as_ref().map(|suppression| Suppression {
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
