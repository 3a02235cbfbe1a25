//! The view for readers: an immutable, shared snapshot of everything.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::groups::bookings::{Affected, Calendar};
use crate::groups::holds::HoldView;
use crate::groups::pool::{PoolStatus, Pools};
use crate::model::{
    Bookable, CallError, Health, JumpHealth, Private, ResourceName, SourceHealth, SourceName,
    StreamHealth, Stub, Topic,
};
use crate::notifications::correlation::Cause;
use crate::protocol::{
    CanaryView, CategoryStates, Counts, Event, Issue, Link, ManualOverride, NotifiedView, PageView,
    Quarantined, Report, Role, RouteView, Traffic,
};
use crate::suppressions::{ActiveSuppressions, NoteView, Suppression};

/// A snapshot of everything at one moment. Parts that did not change are shared with earlier
/// snapshots.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Grows with every snapshot.
    pub version: u64,
    /// When it was taken.
    pub at: Timestamp,
    /// When the engine started.
    pub started: Timestamp,
    /// Whether this replica may act.
    pub role: Role,
    /// Whether what it decides is recorded and not carried out, beside another monitor that acts.
    pub is_shadow: bool,
    /// The version at which the experiments, the pools, the holds or the causes last changed.
    pub changed: u64,
    /// All experiments, sorted by stub.
    pub experiments: Arc<Vec<Arc<ExperimentView>>>,
    /// The number of experiments by state.
    pub counts: Counts,
    /// Relay, jump and book, in this order.
    pub sources: [SourceView; 3],
    /// The status of the pools of interchangeable experiments, sorted by name.
    pub standings: Arc<Vec<PoolView>>,
    /// Manual holds: first those that block bookings, the earliest first; then the others, the
    /// oldest first.
    pub holds: Arc<Vec<HoldView>>,
    /// Probable common causes of the experiments that are unusable now, the earliest first.
    pub causes: Arc<Vec<Cause>>,
    /// The routes, in the order of the configuration.
    pub routes: Vec<RouteView>,
    /// What was notified as bad, sorted by experiment and route.
    pub notified: Arc<Vec<NotifiedView>>,
    /// Sampling.
    pub sampling: SamplingView,
    /// Since when book has given an empty manifest.
    pub manifest_lost: Option<Timestamp>,
    /// Since when all sources have been silent, so that labwatch is cut off.
    pub blind: Option<Timestamp>,
    /// All suppressions, in the order in which they are listed.
    pub notes: Arc<Vec<NoteView>>,
    /// The same, for queries.
    pub suppressions: Arc<ActiveSuppressions>,
    /// The bookings, without names of users.
    pub calendar: Arc<Calendar>,
    /// The pools of interchangeable experiments.
    pub pools: Arc<Pools>,
    /// Categories that were closed or opened.
    pub categories: Arc<CategoryStates>,
    /// Experiments that stay withdrawn until a category is opened.
    pub quarantined: Arc<Quarantined>,
    /// The pages that students open, sorted; empty while they are not checked.
    pub pages_of_uis: Arc<Vec<PageView>>,
}

impl Snapshot {
    /// The snapshot of an unknown laboratory: the first one of a process, and that of a process
    /// that watches none.
    pub fn empty(at: Timestamp) -> Self {
        let unknown = |name| SourceView {
            name,
            since: at,
            ..SourceView::default()
        };
        Self {
            at,
            started: at,
            sources: SourceName::ALL.map(unknown),
            ..Self::default()
        }
    }

    /// The source of this name.
    pub fn source(&self, name: SourceName) -> &SourceView {
        &self.sources[name as usize]
    }

    /// The experiment of this name.
    pub fn experiment(&self, stub: &str) -> Option<&Arc<ExperimentView>> {
        let at = self
            .experiments
            .binary_search_by(|view| view.stub.as_str().cmp(stub))
            .ok()?;
        self.experiments.get(at)
    }

    /// The status of the pool of this name.
    pub fn pool(&self, name: &str) -> Option<&PoolView> {
        let at = self
            .standings
            .binary_search_by(|pool| (*pool.name).cmp(name))
            .ok()?;
        self.standings.get(at)
    }

    /// What was notified as bad about the experiment of this name, one for each route that
    /// has it.
    pub fn notified(&self, stub: &str) -> &[NotifiedView] {
        let from = self
            .notified
            .partition_point(|view| view.stub.as_str() < stub);
        let rest = self.notified.get(from..).unwrap_or_default();
        rest.get(..rest.partition_point(|view| view.stub.as_str() == stub))
            .unwrap_or_default()
    }
}

/// A pool of interchangeable experiments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolView {
    /// Its name, unique among pools.
    pub name: Arc<str>,
    /// Its experiments, sorted.
    pub members: Vec<Stub>,
    /// How many of them are ok.
    pub healthy: usize,
    /// How many of them can be booked.
    pub bookable: usize,
    /// The capacity that works against the demand within 24 h.
    pub standing: PoolStatus,
}

/// An experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentView {
    /// Its name.
    pub stub: Stub,
    /// Its resources in book, sorted by name. Empty when it is unlisted.
    pub resources: Vec<ResourceView>,
    /// Whether book's manifest lists it, as far as is known.
    pub listed: bool,
    /// Its health.
    pub health: Health,
    /// Since when.
    pub since: Timestamp,
    /// What is wrong.
    pub issues: Vec<Issue>,
    /// Its flapping; `None` while it is stable.
    pub flapping: Option<FlapView>,
    /// Why notifications about it are suppressed; `None` when they are not.
    pub suppression: Option<Suppression>,
    /// Its remote login.
    pub jump: JumpHealth,
    /// When its host was last in a report of jump.
    pub jump_seen: Seen,
    /// Its last connection to jump, where it is not in the newest report.
    pub jump_last: Option<Arc<LastConnection>>,
    /// Its streams, sorted by topic.
    pub streams: Vec<StreamView>,
    /// The pages on which students open it, sorted; empty while they are not checked.
    pub pages: Vec<PageView>,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// Until when it has its start-up grace; `None` when that is over.
    pub grace_until: Option<Timestamp>,
    /// When book's manifest last listed it.
    pub last_listed: Option<Timestamp>,
    /// Its latest events, oldest first, at most `HEALTH_EVENTS`.
    pub events: Vec<Arc<Event>>,
    /// The names of the pools that it is in.
    pub pools: Vec<Arc<str>>,
    /// The bookings of it that are under way or to come.
    pub affected: Affected,
    /// Advice, where something is wrong and its symptoms match one.
    pub advice: Option<Arc<str>>,
    /// Whether nothing of it is reported: neither its login nor any required stream.
    pub is_lost: bool,
}

/// The flapping of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlapView {
    /// Since when.
    pub since: Timestamp,
    /// When it counts as stable if it does not change until then.
    pub steady_at: Timestamp,
}

impl ExperimentView {
    /// Whether it can be booked: the worst of its resources. `None` when it has none or book has
    /// not notified yet.
    pub fn bookable(&self) -> Option<Bookable> {
        self.resources
            .iter()
            .filter_map(|resource| resource.bookable)
            .max()
    }
}

/// A resource of an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceView {
    /// Its name in book.
    pub name: ResourceName,
    /// Whether it can be booked, by book's last answer; `None` before the first one.
    pub bookable: Option<Bookable>,
    /// The reason that book stores.
    pub reason: String,
    /// When book last answered.
    pub read: Option<Timestamp>,
    /// Why the last switch failed, where it did.
    pub fault: Option<CallError>,
    /// The manual override, until book confirms it.
    pub manual_override: Option<ManualOverride>,
}

/// A stream of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamView {
    /// Its topic in relay.
    pub topic: Topic,
    /// Whether book's manifest requires it.
    pub required: bool,
    /// Its health.
    pub health: StreamHealth,
    /// The evidence of whether it transmits.
    pub evidence: Evidence,
    /// When it was last in a report of relay.
    pub seen: Seen,
    /// Its last connection, where it is not in the newest report.
    pub last: Option<Arc<LastConnection>>,
}

/// The evidence of whether a stream transmits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// Relay's statistics.
    Statistics,
    /// Sampling; the time is when a message last came, if ever.
    Sampled(Option<Timestamp>),
    /// None: connected counts as active.
    Unverified,
}

/// When something was last in a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Never.
    Never,
    /// In the newest one: the time is that of the source's last report.
    InNewest,
    /// In an earlier one, which came at this time.
    At(Timestamp),
}

impl Seen {
    /// The time, given when the newest report came.
    pub fn time(self, newest: Option<Timestamp>) -> Option<Timestamp> {
        match self {
            Self::Never => None,
            Self::InNewest => newest,
            Self::At(when) => Some(when),
        }
    }
}

/// A connection that is gone, as in the last report that had it.
#[derive(Debug, Clone, PartialEq)]
pub struct LastConnection {
    /// When it connected.
    pub connected: String,
    /// When its token ends.
    pub expires: String,
    /// Where it came from.
    pub remote: String,
    /// The program that it claimed to be.
    pub user_agent: String,
    /// Its scopes.
    pub scopes: crate::protocol::Scopes,
    /// What it sent.
    pub tx: Option<Traffic>,
    /// What it received.
    pub rx: Option<Traffic>,
}

/// A source.
#[derive(Debug, Clone, Default)]
pub struct SourceView {
    /// Its name.
    pub name: SourceName,
    /// Its health.
    pub health: SourceHealth,
    /// Since when.
    pub since: Timestamp,
    /// When it last reported.
    pub last_report: Option<Timestamp>,
    /// The longest time between its recent reports.
    pub pace: Option<Duration>,
    /// The state of the connection (relay and jump).
    pub link: Link,
    /// The problem and what to do; empty when there is none.
    pub note: String,
    /// The same with the source's own message.
    pub said: Private<String>,
    /// When the server started, in its own format (relay and jump).
    pub server_started: Option<String>,
    /// How many experiments are not evaluated because of it.
    pub hides: usize,
    /// How many entries of its reports were partly unreadable, since the start (relay and jump).
    pub unreadable_entries: u64,
    /// The canary's results (relay, where it is on).
    pub canary: Option<Arc<CanaryView>>,
    /// Its newest report, for details of connections (relay and jump).
    pub report: Option<Arc<Report>>,
}

/// The state of sampling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SamplingView {
    /// How many streams are sampled; 0 when relay's statistics make it unnecessary or it is off.
    pub streams: usize,
    /// How long one round over all of them takes at the present speed.
    pub round: Duration,
    /// Whether a round fits into `HEALTH_LAST_ACTIVE`.
    pub keeps_up: bool,
    /// How many samples failed in a row; while they fail, connected counts as active.
    pub failures: u32,
}
