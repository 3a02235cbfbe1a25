//! The numbers of experiments and the sources, as version 2 gives them and streams their changes.

use serde::Serialize;
use utoipa::ToSchema;

use super::canary::Canary;
use super::time::Timestamp;
use super::words::{Fault, Link, SourceHealth, SourceName};
use engine::model::Visibility;
use engine::{self, Snapshot, SourceView, model};

/// How many experiments are in which state.
#[derive(Debug, PartialEq, Eq, Clone, Copy, Serialize, ToSchema)]
pub(super) struct Counts {
    /// All of them.
    total: usize,
    /// Those that are ok.
    ok: usize,
    /// Those that are usable, with a loss.
    degraded: usize,
    /// Those that come and go too often.
    flapping: usize,
    /// Those that are down.
    down: usize,
    /// Those that are not evaluated.
    unknown: usize,
    /// Those of which a monitor withdrew a resource.
    withdrawn: usize,
    /// Those of which a person holds a resource.
    held: usize,
    /// Those that book does not list.
    unlisted: usize,
    /// Those that are acknowledged as bad.
    acknowledged: usize,
    /// Those that are silenced, or in maintenance.
    silenced: usize,
    /// Those whose health and bookability do not fit together.
    mismatched: usize,
}

impl Counts {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let counts = snapshot.counts;
        let mismatched = snapshot
            .experiments
            .iter()
            .filter(|view| view.mismatch().is_some())
            .count();
        Self {
            total: counts.total,
            ok: counts.ok,
            degraded: counts.degraded,
            flapping: counts.flapping,
            down: counts.down,
            unknown: counts.unknown,
            withdrawn: counts.withdrawn,
            held: counts.held,
            unlisted: counts.unlisted,
            acknowledged: counts.acknowledged,
            silenced: counts.silenced,
            mismatched,
        }
    }
}

/// A source: a server that labwatch learns from.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Source {
    /// Which.
    name: SourceName,
    /// How it is.
    health: SourceHealth,
    /// Since when.
    since: Timestamp,
    /// When it last reported; null for never.
    #[schema(required)]
    last_report: Option<Timestamp>,
    /// The longest time between its recent reports, in seconds; null when there were not enough.
    #[schema(required)]
    pace_seconds: Option<f64>,
    /// How the connection is.
    link: Link,
    /// Why the connection failed, or why nothing can be learnt from it; null when that is not so.
    #[schema(required)]
    fault: Option<Fault>,
    /// What is wrong and what to do, also in the server's words; empty when nothing is. Null for
    /// readers who may not see those.
    #[schema(required)]
    note: Option<String>,
    /// When the server started, in its own words; null when it does not tell.
    #[schema(required)]
    server_started: Option<String>,
    /// How many experiments are not evaluated, or not wholly, because of it.
    hides: usize,
    /// What labwatch's own messages through relay show; null for other sources, and while the
    /// canary is off.
    #[schema(required)]
    canary: Option<Canary>,
}

impl Source {
    pub(super) fn all(snapshot: &Snapshot, sight: Visibility) -> Vec<Self> {
        model::SourceName::ALL
            .into_iter()
            .map(|name| Self::new(snapshot.source(name), sight))
            .collect()
    }

    fn new(source: &SourceView, sight: Visibility) -> Self {
        let fault = match &source.link {
            engine::Link::Failed(failure) => Some((&failure.error).into()),
            engine::Link::Unreadable(_) | engine::Link::Broken(_) => Some(Fault::Unreadable),
            engine::Link::Connecting
            | engine::Link::Open
            | engine::Link::OpenByProxy
            | engine::Link::Closed(_)
            | engine::Link::GivenUp => None,
        };
        Self {
            name: source.name.into(),
            health: source.health.into(),
            since: source.since.into(),
            last_report: source.last_report.map(Timestamp::from),
            pace_seconds: source.pace.map(|pace| pace.as_secs_f64()),
            link: (&source.link).into(),
            fault,
            note: source.said.show(sight).cloned(),
            server_started: source.server_started.clone(),
            hides: source.hides,
            canary: source.canary.as_deref().map(Canary::new),
        }
    }

    /// How it is, without the time of its newest report, which changes all the time.
    pub(super) fn standing(&self) -> (SourceHealth, Link, usize) {
        (self.health, self.link, self.hides)
    }
}
