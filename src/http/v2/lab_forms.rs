//! The numbers of experiments and the sources, in version 2 and in the stream of changes.

use serde::Serialize;
use utoipa::ToSchema;

use super::canary::Canary;
use super::time::Timestamp;
use super::words::{Fault, Link, SourceHealth, SourceName};
use engine::model::Visibility;
use engine::{self, Snapshot, SourceView, model};

/// The number of experiments by state.
#[derive(Debug, PartialEq, Eq, Clone, Copy, Serialize, ToSchema)]
pub(super) struct Counts {
    /// All of them.
    total: usize,
    /// Those that are ok.
    ok: usize,
    /// Those that are usable, with a loss.
    degraded: usize,
    /// Those that are flapping.
    flapping: usize,
    /// Those that are down.
    down: usize,
    /// Those that are not evaluated.
    unknown: usize,
    /// Those with a resource withdrawn by a monitor.
    withdrawn: usize,
    /// Those with a resource held by a person.
    held: usize,
    /// Those that book does not list.
    unlisted: usize,
    /// Those whose problem is acknowledged.
    acknowledged: usize,
    /// Those that are silenced, or in maintenance.
    silenced: usize,
    /// Those whose health and bookability contradict each other.
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

/// A source: a server that labwatch gets data from.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Source {
    /// Its name.
    name: SourceName,
    /// Its health.
    health: SourceHealth,
    /// Since when its health has not changed.
    since: Timestamp,
    /// When it last reported; null for never.
    #[schema(required)]
    last_report: Option<Timestamp>,
    /// The longest time between its recent reports, in seconds; null when there were not enough.
    #[schema(required)]
    pace_seconds: Option<f64>,
    /// The state of the connection.
    link: Link,
    /// Why the connection failed, or why its data cannot be used; null otherwise.
    #[schema(required)]
    fault: Option<Fault>,
    /// What is wrong and what to do, including the server's own text; empty when nothing is. Null
    /// for readers who may not see it.
    #[schema(required)]
    note: Option<String>,
    /// When the server started, as it writes it; null when it does not report it.
    #[schema(required)]
    server_started: Option<String>,
    /// How many experiments are not, or not fully, evaluated because of it.
    hides: usize,
    /// The results of labwatch's own messages through relay; null for other sources, and while the
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

    /// Its state without the time of its newest report, which changes all the time.
    pub(super) fn standing(&self) -> (SourceHealth, Link, usize) {
        (self.health, self.link, self.hides)
    }
}
