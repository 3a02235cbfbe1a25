//! The experiments in an answer about the whole: their numbers by state, and those that fail, up to
//! a bound; all of them on request.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::Query;
use super::answer::LISTED;
use super::shown::Shown;
use crate::health::experiment;
use crate::health::snapshot::HealthSnapshot;
use engine::model::{SourceName, StreamHealth};
use engine::{Connection, Evidence, ExperimentView, Report, Scopes, Seen, Snapshot, StreamView};

/// The number of experiments by state.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HealthTally)]
pub(crate) struct Tally {
    /// All of them.
    total: usize,
    /// Those that are well.
    ok: usize,
    /// Those that can be used, with a loss.
    degraded: usize,
    /// Those that cannot be used.
    down: usize,
    /// Those of which too little is known.
    unknown: usize,
    /// Those that labwatch has made unavailable in book.
    withdrawn: usize,
    /// Those that a person has made unavailable in book.
    held: usize,
    /// Those that book does not list.
    unlisted: usize,
}

impl Tally {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let it = snapshot.counts;
        Self {
            total: it.total,
            ok: it.ok,
            degraded: it.degraded,
            down: it.down,
            unknown: it.unknown,
            withdrawn: it.withdrawn,
            held: it.held,
            unlisted: it.unlisted,
        }
    }
}

/// The experiments of an answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HealthExperiments)]
pub(crate) struct Experiments<'a> {
    #[serde(flatten)]
    counts: Tally,
    /// Those that are listed, sorted by name: the first 100 that fail, or all where `full` is
    /// true.
    listed: Vec<Experiment<'a>>,
}

/// The state of an experiment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HealthExperiment)]
pub(crate) struct Experiment<'a> {
    /// Its name.
    #[schema(example = "pend00")]
    name: &'a str,
    /// `ok`, `warn`, `init`, `stale` or `error`; the first two can be used.
    #[schema(pattern = "^(ok|warn|init|stale|error)$", example = "ok")]
    state: &'static str,
    /// What is wrong, and how many of its streams are active.
    details: String,
    /// When its health last changed.
    last_change: Timestamp,
    /// When there was last evidence of it; null before the first.
    #[schema(required)]
    last_update: Option<Timestamp>,
}

/// The experiments to list: all, or the first that fail.
pub(super) fn listed<'a>(health: &'a HealthSnapshot, query: &Query) -> Vec<&'a ExperimentView> {
    let fails =
        |view: &&ExperimentView| !experiment::state(view, &health.snapshot, health.at).is_ok();
    let all = health.snapshot.experiments.iter().map(|view| &**view);
    if query.full {
        all.collect()
    } else {
        all.filter(fails).take(LISTED).collect()
    }
}

impl<'a> Experiments<'a> {
    pub(super) fn of(health: &'a HealthSnapshot, listed: &[&'a ExperimentView]) -> Self {
        let row = |view: &&'a ExperimentView| {
            let shown = Shown::experiment(view, health);
            Experiment {
                name: shown.name,
                state: shown.state.as_str(),
                details: shown.detail.into_owned(),
                last_change: shown.last_change,
                last_update: shown.last_update,
            }
        };
        Self {
            counts: Tally::of(&health.snapshot),
            listed: listed.iter().map(row).collect(),
        }
    }
}

/// A stream, in the place of a network interface.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HealthStream)]
pub(crate) struct Stream<'a> {
    /// Its topic.
    #[schema(example = "pend00-st-data")]
    internal_name: &'a str,
    /// Its number in this answer, from 1.
    index: usize,
    /// `UP`, `DOWN`, `NEVER` seen, or `UNKNOWN`.
    #[schema(pattern = "^(UP|DOWN|NEVER|UNKNOWN)$", example = "UP")]
    status: &'static str,
    /// Whose stream it is.
    #[schema(example = "pend00")]
    experiment: &'a str,
    /// Whether the experiment cannot be used without it.
    required: bool,
    /// When relay last reported it.
    #[schema(required)]
    last_seen: Option<Timestamp>,
    /// When it last sent something, as far as that is known.
    #[schema(required)]
    last_transmit: Option<Timestamp>,
    /// Messages a second; absent when relay does not report it.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f32>,
}

/// The streams of these experiments, numbered from 1. The addresses of their senders are left out:
/// this is open to every reader.
pub(super) fn streams<'a>(
    snapshot: &'a Snapshot,
    experiments: &[&'a ExperimentView],
) -> Vec<Stream<'a>> {
    let relay = snapshot.source(SourceName::Relay);
    let sending = if experiments.is_empty() {
        HashMap::new()
    } else {
        sending(relay.report.as_deref())
    };
    let all = experiments
        .iter()
        .flat_map(|view| view.streams.iter().map(move |stream| (view, stream)));
    let row = |((view, stream), index): ((&&'a ExperimentView, &'a StreamView), usize)| {
        let tx = sending
            .get(stream.topic.as_str())
            .and_then(|found| found.tx);
        let received = match stream.evidence {
            Evidence::Sampled(received) => received,
            Evidence::Statistics | Evidence::Unverified => None,
        };
        let reported = || {
            let idle = SignedDuration::try_from(tx?.last?).ok()?;
            relay.last_report?.checked_sub(idle).ok()
        };
        Stream {
            internal_name: stream.topic.as_str(),
            index,
            status: as_str(stream),
            experiment: view.stub.as_str(),
            required: stream.required,
            last_seen: stream.seen.time(relay.last_report),
            last_transmit: received.or_else(reported),
            rate: tx.map(|tx| tx.fps),
        }
    };
    all.zip(1..).map(row).collect()
}

fn as_str(stream: &StreamView) -> &'static str {
    match (stream.health, stream.seen) {
        (StreamHealth::Active, _) => "UP",
        (_, Seen::Never) => "NEVER",
        (StreamHealth::Silent | StreamHealth::Missing, _) => "DOWN",
        (StreamHealth::Unknown, _) => "UNKNOWN",
    }
}

/// For each topic the experiment's connection that sent last.
fn sending(report: Option<&Report>) -> HashMap<&str, Connection<'_>> {
    let mut best: HashMap<&str, Connection<'_>> = HashMap::new();
    let idle = |connection: &Connection<'_>| {
        connection
            .tx
            .and_then(|tx| tx.last)
            .unwrap_or(std::time::Duration::MAX)
    };
    for connection in report
        .into_iter()
        .flat_map(Report::iter)
        .filter(|connection| connection.scopes.has(Scopes::EXPT))
    {
        let known = best.entry(connection.topic).or_insert(connection);
        if idle(&connection) < idle(known) {
            *known = connection;
        }
    }
    best
}
