//! An experiment in a list: what is known of it without asking anybody else, so that it is written as JSON once for as long as it does not change.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use engine::model::Bookable;
use engine::{
    self, Affected, Evidence, ExperimentView, FlapView, Mismatch, ResourceView, StreamView,
};

/// An experiment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Experiment)]
pub(super) struct Line<'a> {
    /// Its name: what its streams and its host share.
    #[schema(example = "pend00")]
    pub(super) name: &'a str,
    /// How it is: `ok`, `degraded` (usable, with a loss), `flapping` (comes and goes too often), `down` or
    /// `unknown` (not judged).
    #[schema(example = "ok")]
    health: &'static str,
    /// Since when.
    since: Timestamp,
    /// What is wrong, most important first.
    issues: Vec<Issue>,
    /// How it flaps; null when it does not.
    #[schema(required)]
    flapping: Option<Flapping>,
    /// Why nobody is told of it; null when they are.
    #[schema(required)]
    quiet: Option<ActiveSuppressions>,
    /// What can be done about it; null when nothing is wrong or its symptoms do not tell.
    #[schema(required)]
    advice: Option<&'a str>,
    /// Whether book's manifest lists it.
    listed: bool,
    /// Whether it can be booked and, where not, by whose word: `bookable`, `withdrawn` (a monitor's), `held` (a person's) or `unknown`.
    /// Of several resources the worst.
    #[schema(example = "bookable")]
    bookable: &'static str,
    /// The reason that book stores with it.
    reason: &'a str,
    /// Where health and bookability do not fit: `works-not-bookable` or `down-bookable`; else null.
    #[schema(required)]
    mismatch: Option<&'static str>,
    /// The pools of interchangeable experiments that it is in.
    pools: Vec<&'a str>,
    /// Who needs it, and when.
    bookings: Bookings,
    /// Its remote login: `up`, `lost` or `unknown`.
    #[schema(example = "up")]
    jump: &'static str,
    /// Its streams, sorted by topic.
    streams: Vec<Stream<'a>>,
    /// The names that it has in book, sorted.
    resources: Vec<&'a str>,
    /// Until when it has its start-up grace, in which it is not judged; null when that is over.
    #[schema(required)]
    grace_until: Option<Timestamp>,
}

/// One thing that is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Issue {
    /// For programs: `missing jump`, `missing required <topic>`, `unhealthy <topic>`, `relay outage`.
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

/// Why nobody is told of an experiment. Who wants it so and in which words is for those who may see it.
#[derive(Debug, Serialize, ToSchema)]
struct ActiveSuppressions {
    /// Whether it is `acknowledged`, `silenced` or in `maintenance`.
    #[schema(example = "acknowledged")]
    kind: &'static str,
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
    /// When the first of all of them starts, in the past when it is under way; null when there is none.
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
    /// How it is: `active`, `silent` (connected, but sends nothing), `missing` or `unknown`.
    #[schema(example = "active")]
    health: &'static str,
    /// How it is known whether it transmits: by relay's `statistics`, because labwatch listened (`sampled`), or not at all (`unverified`).
    #[schema(example = "statistics")]
    evidence: &'static str,
}

impl<'a> Line<'a> {
    pub(super) fn new(view: &'a ExperimentView) -> Self {
        Self {
            name: view.stub.as_str(),
            health: view.health.as_str(),
            since: view.since,
            issues: issues(&view.issues),
            flapping: view
                .flapping
                .map(|FlapView { since, steady_at }| Flapping { since, steady_at }),
            quiet: view.quiet.as_ref().map(|quiet| ActiveSuppressions {
                kind: quiet.kind.as_str(),
                until: quiet.until,
            }),
            advice: view.advice.as_deref(),
            listed: view.listed,
            bookable: bookable(view.bookable()),
            reason: reason(view),
            mismatch: view.mismatch().map(Mismatch::as_str),
            pools: view.pools.iter().map(|name| &**name).collect(),
            bookings: Bookings::new(view.affected),
            jump: view.jump.as_str(),
            streams: view.streams.iter().map(Stream::new).collect(),
            resources: view
                .resources
                .iter()
                .map(|resource| resource.name.as_str())
                .collect(),
            grace_until: view.grace_until,
        }
    }
}

impl Bookings {
    pub(super) fn new(affected: Affected) -> Self {
        let Affected {
            next_day,
            next_week,
            first_start,
            in_session,
        } = affected;
        Self {
            next_day,
            next_week,
            first_start,
            in_session,
        }
    }
}

impl<'a> Stream<'a> {
    pub(super) fn new(stream: &'a StreamView) -> Self {
        Self {
            topic: stream.topic.as_str(),
            required: stream.required,
            health: stream.health.as_str(),
            evidence: match stream.evidence {
                Evidence::Statistics => "statistics",
                Evidence::Sampled(_) => "sampled",
                Evidence::Unverified => "unverified",
            },
        }
    }
}

pub(super) fn issues(issues: &[engine::Issue]) -> Vec<Issue> {
    issues
        .iter()
        .map(|issue| Issue {
            code: issue.code(),
            text: issue.to_string(),
        })
        .collect()
}

/// The words for whether something can be booked.
pub(super) const BOOKABLE: [(&str, Option<Bookable>); 4] = [
    ("bookable", Some(Bookable::Yes)),
    ("withdrawn", Some(Bookable::Withdrawn)),
    ("held", Some(Bookable::Held)),
    ("unknown", None),
];

pub(super) fn bookable(bookable: Option<Bookable>) -> &'static str {
    BOOKABLE
        .iter()
        .find(|(_, known)| *known == bookable)
        .map_or("unknown", |(as_str, _)| as_str)
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
