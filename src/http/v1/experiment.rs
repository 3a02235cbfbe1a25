//! An experiment in version 1 of the API: the fields of the program that labwatch replaces, none of
//! them ever missing, and some more.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::connection::{ConnectionReport, NEVER};
use crate::http::lookup::{Lookup, gone};
use engine::model::Gather as _;
use engine::model::{Bookable, Health, JumpHealth, SourceName, StreamHealth};
use engine::{Evidence, ExperimentView, Issue, LastConnection, Scopes, Snapshot, StreamView};

/// An experiment.
#[derive(Debug, Serialize, ToSchema)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "it is the form that the old web page reads"
)]
pub(in crate::http) struct Experiment<'a> {
    /// Whether students can book it, as book last reported. False when book has not reported yet.
    available: bool,
    /// Whether it can be booked and, if not, who withdrew it: `bookable`, `withdrawn` (by a
    /// monitor), `held` (by a person) or `unknown`.
    #[schema(example = "bookable")]
    bookable: &'static str,
    /// When it was first seen.
    first_checked: Timestamp,
    /// Its health: `ok`, `degraded` (usable, with a loss), `down` or `unknown` (not evaluated).
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
    /// Its jump connection (remote login): `up`, `lost` or `unknown`.
    #[schema(example = "up")]
    jump: &'static str,
    /// Whether its jump connection is up.
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
    /// Since when its health has not changed.
    since: Timestamp,
    /// Whether each stream is active, by topic.
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
    /// Its name: the common part of the names of its streams and its host.
    #[schema(example = "pend00")]
    topic_name: &'a str,
}

/// The health of a stream and the evidence for it.
#[derive(Debug, Serialize, ToSchema)]
struct Stream {
    /// The evidence that it transmits: relay's `statistics`, a sample of labwatch (`sampled`), or
    /// none (`unverified`: connected counts as active).
    #[schema(example = "sampled")]
    evidence: &'static str,
    /// Its health: `active`, `silent` (connected, but sends nothing), `missing` or `unknown`.
    #[schema(example = "active")]
    health: &'static str,
    /// When a sample of labwatch last received data; `0001-01-01T00:00:00Z` when none did or it is
    /// not sampled.
    heard: Timestamp,
    /// When relay last reported it; `0001-01-01T00:00:00Z` for never.
    seen: Timestamp,
}

/// All experiments of a snapshot, sorted by name. Each is built when it is written, so that ten
/// thousand are never in memory at once.
pub(super) struct Experiments<'a> {
    pub(super) snapshot: &'a Snapshot,
    /// Whether the reader may see private data: the user agents.
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

/// Shared by all experiments of one answer.
struct View<'a> {
    streams: Lookup<'a>,
    hosts: Lookup<'a>,
    relay_reported: Option<Timestamp>,
    jump_reported: Option<Timestamp>,
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
            relay_reported: relay.last_report,
            jump_reported: jump.last_report,
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
            last_checked_jump: view.jump_seen.time(self.jump_reported).unwrap_or(NEVER),
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
        let (evidence, received) = match stream.evidence {
            Evidence::Statistics => ("statistics", None),
            Evidence::Sampled(received) => ("sampled", received),
            Evidence::Unverified => ("unverified", None),
        };
        Stream {
            evidence,
            health: stream.health.as_str(),
            heard: received.unwrap_or(NEVER),
            seen: self.seen(stream),
        }
    }

    fn seen(&self, stream: &StreamView) -> Timestamp {
        stream.seen.time(self.relay_reported).unwrap_or(NEVER)
    }
}

/// A map with an entry for each stream for which `value` returns a value.
fn by_topic<'a, T>(
    view: &'a ExperimentView,
    value: impl Fn(&'a StreamView) -> Option<T>,
) -> BTreeMap<&'a str, T> {
    view.streams
        .iter()
        .filter_map(|stream| Some((stream.topic.as_str(), value(stream)?)))
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
