//! Relay, jump, book and the ways to people as components: read from the engine's picture, never asked.

use std::sync::Arc;

use jiff::Timestamp;

use super::registry::no_report_for;
use super::state::{Component, Finding, State};
use crate::engine::{Link, Snapshot, SourceView};
use crate::model::{SourceHealth, SourceName};

/// The name of the ways to people among the components.
pub const MAIL: &str = "mail";

/// The components that the engine knows about. Mail is one only where there is somebody to tell.
#[must_use]
pub fn components(snapshot: &Snapshot, now: Timestamp) -> Vec<Component> {
    let sources = snapshot.sources.iter().map(|source| component(source, snapshot, now));
    sources.chain(mail(snapshot)).collect()
}

fn component(source: &SourceView, snapshot: &Snapshot, now: Timestamp) -> Component {
    Component {
        name: Arc::from(source.name.word()),
        finding: finding(source, snapshot, now),
        last_change: source.since,
        last_update: source.last_report,
        categories: Arc::default(),
    }
}

fn finding(source: &SourceView, snapshot: &Snapshot, now: Timestamp) -> Finding {
    match source.health {
        SourceHealth::Starting => Finding::new(State::Init, "starting: no report yet"),
        SourceHealth::Live if source.name == SourceName::Book && snapshot.manifest_lost.is_some() => {
            Finding::new(State::Warn, "book has an empty manifest")
        }
        SourceHealth::Live => Finding::ok(),
        SourceHealth::Late => Finding::new(State::Warn, source.note.clone()),
        SourceHealth::Down => down(source, now),
    }
}

/// A source that is down fails, or has fallen silent: then its age says more than the socket.
fn down(source: &SourceView, now: Timestamp) -> Finding {
    match (source.last_report, &source.link) {
        (Some(last), Link::Open) if source.name != SourceName::Book => {
            let silent = now.duration_since(last).unsigned_abs();
            Finding::new(State::Stale, no_report_for(silent))
        }
        _ if source.note.is_empty() => Finding::error("it does not answer"),
        _ => Finding::error(source.note.clone()),
    }
}

/// The ways to people, as one. One that was not needed yet counts as well: nobody knows better.
fn mail(snapshot: &Snapshot) -> Option<Component> {
    let routes = &snapshot.routes;
    let failing = routes.iter().find_map(|route| route.fault.as_ref().map(|fault| (route, fault)));
    let finding = failing.map_or_else(Finding::ok, |(route, fault)| Finding::error(format!("{}: {fault}", route.name)));
    let last_sent = routes.iter().filter_map(|route| route.last_sent).max();
    let waiting = failing.and_then(|(route, _)| route.waiting_since);
    (!routes.is_empty()).then(|| Component {
        name: Arc::from(MAIL),
        finding,
        last_change: waiting.or(last_sent).unwrap_or(snapshot.started),
        last_update: last_sent.max(waiting),
        categories: Arc::default(),
    })
}
