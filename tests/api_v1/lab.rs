//! Snapshots made by hand: a laboratory without an engine. Only for the tests of the
//! API.

use std::sync::Arc;
use std::time::Duration;

use engine::model::{
    Bookable, Health, JumpHealth, ResourceName, SourceHealth, SourceName, StreamHealth, Stub, Topic,
};
use engine::{
    Affected, Cause, Connection, Counts, Event, Evidence, ExperimentView, HoldView, Issue,
    LastConnection, Link, PoolView, Report, ResourceView, Role, SamplingView, Scopes, Seen,
    Snapshot, SourceView, StreamView, Traffic, Why,
};
use jiff::{SignedDuration, Timestamp};
use labwatch::http::auth::{Audit, Kept, Reading, Revocations};
use labwatch::http::{AccessSettings, Authenticator};

/// An authenticator that lets every caller read, and none change anything.
pub fn open_gate() -> Arc<Authenticator> {
    let session = Duration::from_secs(3_600);
    let settings = AccessSettings {
        secret: None,
        reading: Reading::Open,
        session,
        trusted_proxies: Vec::new(),
        url: None,
        base: String::new(),
    };
    let keep = Box::new(|_, _| Box::pin(std::future::ready(true)) as Kept);
    Arc::new(Authenticator::new(
        settings,
        Revocations::recall(&std::collections::BTreeMap::new(), at(0), keep),
        Audit::new(|_, _| {}),
    ))
}

/// The address of every connection, which no answer may contain.
pub const REMOTE: &str = "10.99.88.77";

/// The time this many seconds after the laboratory's start.
pub fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-11-21T00:00:00Z".parse().expect("a time");
    start + SignedDuration::from_secs(seconds)
}

/// A builder of a snapshot.
pub struct Lab {
    pub experiments: Vec<ExperimentView>,
    pub pools: Vec<PoolView>,
    pub holds: Vec<HoldView>,
    pub causes: Vec<Cause>,
    pub relay: Report,
    pub jump: Report,
}

impl Lab {
    pub fn new() -> Self {
        let (pools, holds, causes) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            experiments: Vec::new(),
            pools,
            holds,
            causes,
            relay: Report::default(),
            jump: Report::default(),
        }
    }

    /// Adds an experiment's stream to relay's newest report.
    pub fn streams(mut self, topic: &str, tx: Option<Traffic>) -> Self {
        let rx = tx.map(|_| Traffic {
            last: None,
            size: 0,
            fps: 0.0,
        });
        self.relay.push(connection(
            topic,
            Scopes::READ.with(Scopes::WRITE).with(Scopes::EXPT),
            tx,
            rx,
        ));
        self
    }

    /// Adds a student to relay's newest report, on an experiment's topic.
    pub fn student(mut self, topic: &str) -> Self {
        let tx = Some(Traffic {
            last: Some(Duration::from_millis(1)),
            size: 9999,
            fps: 99.0,
        });
        self.relay.push(Connection {
            user_agent: "student",
            ..connection(topic, Scopes::READ.with(Scopes::WRITE), tx, tx)
        });
        self
    }

    /// Adds a host to jump's newest report.
    pub fn host(mut self, stub: &str) -> Self {
        self.jump.push(connection(
            stub,
            Scopes::READ.with(Scopes::WRITE).with(Scopes::HOST),
            None,
            None,
        ));
        self
    }

    pub fn with(mut self, experiment: ExperimentView) -> Self {
        self.experiments.push(experiment);
        self
    }

    /// The snapshot, a minute after the start.
    pub fn snapshot(self) -> Arc<Snapshot> {
        let empty = self.experiments.is_empty();
        let notified = (!empty).then(|| at(60));
        Arc::new(Snapshot {
            version: 1,
            at: at(60),
            started: at(0),
            role: Role::Leader,
            is_shadow: false,
            changed: 1,
            counts: count(&self.experiments),
            experiments: Arc::new(self.experiments.into_iter().map(Arc::new).collect()),
            sources: [
                source(SourceName::Relay, notified, Some(self.relay)),
                source(SourceName::Jump, notified, Some(self.jump)),
                source(SourceName::Book, notified, None),
            ],
            standings: Arc::new(self.pools),
            holds: Arc::new(self.holds),
            causes: Arc::new(self.causes),
            routes: Vec::new(),
            notified: Arc::default(),
            sampling: SamplingView::default(),
            manifest_lost: None,
            blind: None,
            notes: Arc::default(),
            suppressions: Arc::default(),
            calendar: Arc::default(),
            pools: Arc::default(),
            categories: Arc::default(),
            quarantined: Arc::default(),
            pages_of_uis: Arc::default(),
        })
    }
}

fn count(experiments: &[ExperimentView]) -> Counts {
    let of = |health| {
        experiments
            .iter()
            .filter(|view| view.health == health)
            .count()
    };
    Counts {
        total: experiments.len(),
        ok: of(Health::Ok),
        degraded: of(Health::Degraded),
        down: of(Health::Down),
        unknown: of(Health::Unknown),
        ..Counts::default()
    }
}

fn source(name: SourceName, last_report: Option<Timestamp>, report: Option<Report>) -> SourceView {
    SourceView {
        name,
        health: SourceHealth::Live,
        since: at(0),
        last_report,
        pace: None,
        link: Link::Open,
        note: String::new(),
        said: engine::model::Private::default(),
        server_started: None,
        hides: 0,
        unreadable_entries: 0,
        canary: None,
        report: report.map(Arc::new),
    }
}

fn connection(
    topic: &str,
    scopes: Scopes,
    tx: Option<Traffic>,
    rx: Option<Traffic>,
) -> Connection<'_> {
    Connection {
        topic,
        scopes,
        connected: "2026-11-20T23:57:16Z",
        expires: "2026-11-21T00:07:16Z",
        remote: REMOTE,
        user_agent: "relay/expt",
        tx,
        rx,
    }
}

/// A healthy experiment that book lists and offers, with the streams `st-data` and `st-video`, both
/// required and in the newest report.
pub fn healthy(stub: &str) -> ExperimentView {
    let stub = Stub::try_new(stub).expect("a name");
    ExperimentView {
        resources: vec![resource(
            &format!("r-{stub}"),
            Some(Bookable::Yes),
            "labwatch: all streams are back",
        )],
        listed: true,
        health: Health::Ok,
        since: at(10),
        issues: Vec::new(),
        flapping: None,
        suppression: None,
        jump: JumpHealth::Up,
        jump_seen: Seen::InNewest,
        jump_last: None,
        pages: Vec::new(),
        streams: ["st-data", "st-video"].map(|key| stream(&stub, key)).into(),
        first_seen: at(1),
        grace_until: None,
        last_listed: Some(at(2)),
        events: Vec::new(),
        pools: Vec::new(),
        affected: Affected::default(),
        advice: None,
        is_lost: false,
        stub,
    }
}

pub fn stream(stub: &Stub, key: &str) -> StreamView {
    StreamView {
        topic: Topic::of(stub, key).expect("a name"),
        required: true,
        health: StreamHealth::Active,
        evidence: Evidence::Statistics,
        seen: Seen::InNewest,
        last: None,
    }
}

pub fn resource(name: &str, bookable: Option<Bookable>, reason: &str) -> ResourceView {
    ResourceView {
        name: ResourceName::try_new(name).expect("a name"),
        bookable,
        reason: reason.to_owned(),
        read: None,
        fault: None,
        manual_override: None,
    }
}

/// The traffic of a connection that sends 25 messages a second.
pub const BUSY: Option<Traffic> = Some(Traffic {
    last: Some(Duration::from_millis(100)),
    size: 1000,
    fps: 25.7,
});

/// The traffic of a connection that is closed.
pub fn gone(scope: Scopes, tx: Option<Traffic>) -> Arc<LastConnection> {
    Arc::new(LastConnection {
        connected: "2026-11-20T22:00:00.5Z".to_owned(),
        expires: "2026-11-21T00:07:16Z".to_owned(),
        remote: REMOTE.to_owned(),
        user_agent: "relay/expt".to_owned(),
        scopes: Scopes::READ.with(scope),
        tx,
        rx: None,
    })
}

pub fn event(
    seconds: i64,
    was: Health,
    health: Health,
    issues: Vec<Issue>,
    streams: Vec<(Topic, StreamHealth)>,
    why: Why,
) -> Arc<Event> {
    let jump = if issues.contains(&Issue::JumpLost) {
        JumpHealth::Lost
    } else {
        JumpHealth::Up
    };
    Arc::new(Event {
        when: at(seconds),
        health,
        was,
        issues,
        jump,
        streams,
        why,
    })
}
