//! The state of an experiment, its problem and the time of its last evidence, as the health views
//! report them.

use jiff::Timestamp;

use super::registry::no_report_for;
use super::state::State;
use engine::model::{Health, SourceHealth, SourceName, StreamHealth};
use engine::{ExperimentView, Snapshot};

/// The state of an experiment.
///
/// What is not evaluated is *stale* when relay has reported and fell silent, and *init* while there was
/// not enough evidence yet.
pub fn state(view: &ExperimentView, snapshot: &Snapshot, now: Timestamp) -> State {
    match view.health {
        Health::Ok => State::Ok,
        Health::Degraded => State::Warn,
        Health::Flapping | Health::Down => State::Error,
        Health::Unknown if view.grace_until.is_some_and(|until| now < until) => State::Init,
        Health::Unknown if snapshot.source(SourceName::Relay).health == SourceHealth::Down => {
            State::Stale
        }
        Health::Unknown => State::Init,
    }
}

/// What is wrong, as text; empty when nothing is.
pub fn detail(view: &ExperimentView, snapshot: &Snapshot, now: Timestamp) -> String {
    match state(view, snapshot, now) {
        State::Init => "starting".to_owned(),
        State::Stale => {
            let silent = snapshot
                .source(SourceName::Relay)
                .last_report
                .map(|last| now.duration_since(last).unsigned_abs());
            silent.map_or_else(|| "no report from relay".to_owned(), no_report_for)
        }
        State::Ok | State::Warn | State::Error => view
            .issues
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; "),
    }
}

/// How many of its streams are active: `2/3 streams active`.
pub fn streams(view: &ExperimentView) -> String {
    let active = view
        .streams
        .iter()
        .filter(|stream| stream.health == StreamHealth::Active)
        .count();
    format!("{active}/{} streams active", view.streams.len())
}

/// Streams and what is wrong, together.
pub fn output(view: &ExperimentView, snapshot: &Snapshot, now: Timestamp) -> String {
    let (streams, detail) = (streams(view), detail(view, snapshot, now));
    if detail.is_empty() {
        streams
    } else {
        format!("{streams}; {detail}")
    }
}

/// When a source last reported something about it.
pub fn last_update(view: &ExperimentView, snapshot: &Snapshot) -> Option<Timestamp> {
    let [relay, jump, _] = &snapshot.sources;
    let of_streams = view
        .streams
        .iter()
        .filter_map(|stream| stream.seen.time(relay.last_report))
        .max();
    of_streams.max(view.jump_seen.time(jump.last_report))
}
