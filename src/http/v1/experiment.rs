//! An experiment, as version 1 of the API tells it: the fields of the program that labwatch
//! replaces, all of them always there, and some more.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::connection::{ConnectionReport, NEVER};
use crate::http::lookup::{Lookup, gone};
use engine::model::{Bookable, Health, JumpHealth, SourceName, StreamHealth};
use engine::{Evidence, ExperimentView, Issue, LastConnection, Scopes, Snapshot, StreamView};

/// An experiment.
#[derive(Debug, Serialize, ToSchema)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "it is the form that the old web page reads"
)]
pub(in crate::http) struct Experiment<'a> {
    /// Whether students can book it, as book last said. False when book has not said yet.
    available: bool,
    /// Whether it can be booked and, where not, by whose word: `bookable`, `withdrawn` (a
    /// monitor's), `held` (a person's) or `unknown`.
    #[schema(example = "bookable")]
    bookable: &'static str,
    /// When it was first seen.
    first_checked: Timestamp,
    /// How it is: `ok`, `degraded` (usable, with a loss), `down` or `unknown` (not evaluated).
    #[schema(example = "ok")]
    health: &'static str,
    /// How many events are kept of it.
    health_events: usize,
    /// Whether its health is `ok`.
    healthy: bool,
    /// What is wrong, most important first: `missing jump`, `missing required <topic>`, `unhealthy
    /// <topic>`, `relay outage`.
    #[schema(example = json!([]))]
    issues: Vec<String>,
    /// Its remote login: `up`, `lost` or `unknown`.
    #[schema(example = "up")]
    jump: &'static str,
    /// Whether its remote login is up.
    jump_ok: bool,
    /// Its connection to jump.
    jump_report: ConnectionReport<'a>,
    /// When jump last reported it; `0001-01-01T00:00:00Z` for never.
    last_checked_jump: Timestamp,
    /// When relay last reported any of its streams; `0001-01-01T00:00:00Z` for never.
    last_checked_streams: Timestamp,
    /// When book's manifest last listed it; `0001-01-01T00:00:00Z` for never.
    last_found_in_manifest: Timestamp,
    /// Whether book's manifest lists it.
    listed: bool,
    /// The reason that book stores with its availability.
    reason: &'a str,
    /// Its name in book, the first where it has several. Empty when book does not list it.
    #[schema(example = "r-pend00")]
    resource_name: &'a str,
    /// Since when its health is as it is.
    since: Timestamp,
    /// Of each stream, by topic, whether it is active.
    #[schema(value_type = BTreeMap<String, bool>, example = json!({"pend00-st-data": true}))]
    stream_ok: BTreeMap<&'a str, bool>,
    /// The connection of each stream that was ever seen, by topic.
    #[schema(value_type = BTreeMap<String, ConnectionReport>)]
    stream_reports: BTreeMap<&'a str, ConnectionReport<'a>>,
    /// The streams that book's manifest requires, by topic. The value is always true.
    #[schema(value_type = BTreeMap<String, bool>, example = json!({"pend00-st-data": true}))]
    stream_required: BTreeMap<&'a str, bool>,
    /// More about each stream, by topic.
    #[schema(value_type = BTreeMap<String, Stream>)]
    streams: BTreeMap<&'a str, Stream>,
    /// Its name: what its streams and its host share.
    #[schema(example = "pend00")]
    topic_name: &'a str,
}

/// How a stream is, and how that is known.
#[derive(Debug, Serialize, ToSchema)]
struct Stream {
    /// How it is known whether it transmits: by relay's `statistics`, because labwatch listened
    /// (`sampled`), or not at all (`unverified`: connected counts as active).
    #[schema(example = "sampled")]
    evidence: &'static str,
    /// How it is: `active`, `silent` (connected, but sends nothing), `missing` or `unknown`.
    #[schema(example = "active")]
    health: &'static str,
    /// When labwatch, listening, last heard it; `0001-01-01T00:00:00Z` when it never did or does
    /// not listen.
    heard: Timestamp,
    /// When relay last reported it; `0001-01-01T00:00:00Z` for never.
    seen: Timestamp,
}

/// All experiments of a snapshot, sorted by name. Each is made when its turn comes to be written,
/// so that ten thousand never stand in memory side by side.
pub(super) struct Experiments<'a> {
    pub(super) snapshot: &'a Snapshot,
    /// Whether the reader may see what is private: the user agents.
    pub(super) private: bool,
}

impl Serialize for Experiments<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let view = View::new(self.snapshot, self.private);
        serializer.collect_seq(
            self.snapshot
                .experiments
                .iter()
                .map(|experiment| view.experiment(experiment)),
        )
    }
}

/// What all experiments of one answer share.
struct View<'a> {
    streams: Lookup<'a>,
    hosts: Lookup<'a>,
    relay_told: Option<Timestamp>,
    jump_told: Option<Timestamp>,
    private: bool,
}

impl<'a> View<'a> {
    fn new(snapshot: &'a Snapshot, private: bool) -> Self {
        let (relay, jump) = (
            snapshot.source(SourceName::Relay),
            snapshot.source(SourceName::Jump),
        );
        Self {
            streams: Lookup::new(relay, Scopes::EXPT),
            hosts: Lookup::new(jump, Scopes::HOST),
            relay_told: relay.last_report,
            jump_told: jump.last_report,
            private,
        }
    }

    fn experiment(&self, view: &'a ExperimentView) -> Experiment<'a> {
        let bookable = view.bookable();
        Experiment {
            available: bookable == Some(Bookable::Yes),
            bookable: bookable_word(bookable),
            first_checked: view.first_seen,
            health: view.health.as_str(),
            health_events: view.events.len(),
            healthy: view.health == Health::Ok,
            issues: view.issues.iter().map(Issue::code).collect(),
            jump: view.jump.as_str(),
            jump_ok: view.jump == JumpHealth::Up,
            jump_report: self.host(view),
            last_checked_jump: view.jump_seen.time(self.jump_told).unwrap_or(NEVER),
            last_checked_streams: view
                .streams
                .iter()
                .map(|stream| self.seen(stream))
                .max()
                .unwrap_or(NEVER),
            last_found_in_manifest: view.last_listed.unwrap_or(NEVER),
            listed: view.listed,
            reason: reason(view, bookable),
            resource_name: view
                .resources
                .first()
                .map_or("", |resource| resource.name.as_str()),
            since: view.since,
            stream_ok: by_topic(view, |stream| Some(stream.health == StreamHealth::Active)),
            stream_reports: by_topic(view, |stream| self.connection(stream)),
            stream_required: by_topic(view, |stream| stream.required.then_some(true)),
            streams: by_topic(view, |stream| Some(self.stream(stream))),
            topic_name: view.stub.as_str(),
        }
    }

    fn host(&self, view: &'a ExperimentView) -> ConnectionReport<'a> {
        self.report(&self.hosts, view.stub.as_str(), view.jump_last.as_deref())
            .unwrap_or_else(ConnectionReport::never)
    }

    fn connection(&self, stream: &'a StreamView) -> Option<ConnectionReport<'a>> {
        self.report(&self.streams, stream.topic.as_str(), stream.last.as_deref())
    }

    /// The connection of this topic in the newest report or, while there is none, the last one.
    fn report(
        &self,
        newest: &Lookup<'a>,
        topic: &'a str,
        last: Option<&'a LastConnection>,
    ) -> Option<ConnectionReport<'a>> {
        let known = newest.get(topic).or(last.map(|last| gone(topic, last)));
        known.map(|connection| ConnectionReport::new(&connection, self.private))
    }

    fn stream(&self, stream: &StreamView) -> Stream {
        let (evidence, heard) = match stream.evidence {
            Evidence::Statistics => ("statistics", None),
            Evidence::Sampled(heard) => ("sampled", heard),
            Evidence::Unverified => ("unverified", None),
        };
        Stream {
            evidence,
            health: stream.health.as_str(),
            heard: heard.unwrap_or(NEVER),
            seen: self.seen(stream),
        }
    }

    fn seen(&self, stream: &StreamView) -> Timestamp {
        stream.seen.time(self.relay_told).unwrap_or(NEVER)
    }
}

/// A map with an entry for each stream that `tell` says something about.
fn by_topic<'a, T>(
    view: &'a ExperimentView,
    tell: impl Fn(&'a StreamView) -> Option<T>,
) -> BTreeMap<&'a str, T> {
    view.streams
        .iter()
        .filter_map(|stream| Some((stream.topic.as_str(), tell(stream)?)))
        .gather()
}

fn bookable_word(bookable: Option<Bookable>) -> &'static str {
    match bookable {
        Some(Bookable::Yes) => "bookable",
        Some(Bookable::Withdrawn) => "withdrawn",
        Some(Bookable::Held) => "held",
        None => "unknown",
    }
}

/// The reason of the resource that decides whether the experiment can be booked.
fn reason(view: &ExperimentView, bookable: Option<Bookable>) -> &str {
    let deciding = view
        .resources
        .iter()
        .find(|resource| bookable.is_some() && resource.bookable == bookable);
    deciding.map_or("", |resource| resource.reason.as_str())
}
