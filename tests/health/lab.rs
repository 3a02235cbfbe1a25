//! A laboratory made by hand, with a clock that is set by hand, and a service's own health above
//! it. Only for the tests of health.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::model::{
    Bookable, Health, JumpHealth, Moment, ResourceName, RouteName, SourceHealth, SourceName,
    StreamHealth, Stub, Topic,
};
use engine::{
    Acknowledgement, Affected, CategoryCause, CategoryRule, CategoryState, Channel, Connection,
    Counts, Evidence, ExperimentView, Issue, Link, NoteView, Report, ResourceView, Role, RouteView,
    SamplingView, Scopes, Seen, Snapshot, SourceView, StreamView, Subject, Suppression,
    SuppressionEntry, SuppressionKind, Traffic,
};
use jiff::{SignedDuration, Timestamp};
use labwatch::config::CategorySettings;
use labwatch::health::{
    Ack, Acks, Clock, Finding, HealthState, Identity, PassiveChecks, Registry, Reporter, STORE,
    Settings, SingleCheck, strict,
};
use tokio::sync::watch;

/// When everything begins.
pub const START: &str = "2026-11-21T00:00:00Z";

/// The time this many seconds after the start.
pub fn at(seconds: u64) -> Timestamp {
    let start: Timestamp = START.parse().expect("a time");
    start + SignedDuration::from_secs(seconds.try_into().expect("small"))
}

/// A clock that is set by hand.
#[derive(Clone, Default)]
pub struct Hands(Arc<AtomicU64>);

impl Hands {
    pub fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::Relaxed);
    }

    pub fn clock(&self) -> Clock {
        let hands = self.clone();
        Arc::new(move || hands.now())
    }

    pub fn now(&self) -> Moment {
        let seconds = self.0.load(Ordering::Relaxed);
        Moment::new(at(seconds), Duration::from_secs(1_000_000 + seconds))
    }
}

/// The health of a service, with everything that reports to it.
pub struct Bench {
    pub hands: Hands,
    pub health_state: HealthState,
    pub registry: Registry,
    pub store: Reporter,
    pub web: Reporter,
    pub passive: Arc<PassiveChecks>,
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    last: Mutex<Snapshot>,
}

/// Settings with two categories: one that forgives, and one that does not forget.
pub fn settings() -> Settings {
    let pendulums = CategoryRule {
        patterns: vec!["pend*".into()],
        resilient: true,
        ..strict("pendulums")
    };
    let exam = CategorySettings {
        rule: CategoryRule {
            patterns: vec!["spin*".into()],
            sticky: true,
            failure_threshold: 1,
            ..strict("exam")
        },
        panic_guide: Some("https://wiki.example.org/exam".parse().expect("a URL")),
        business_impact: "The exam cannot be held.".into(),
    };
    Settings {
        label: "test-lab".into(),
        categories: vec![pendulums.into(), exam],
        ..Settings::default()
    }
}

impl Bench {
    /// A service with these settings and a laboratory from which nothing was received yet.
    pub fn new(settings: Settings) -> Self {
        let hands = Hands::default();
        let registry = Registry::new(hands.clock());
        let first = without_reports();
        let (snapshots, seen) = watch::channel(Arc::new(first.clone()));
        let store = registry
            .register(STORE, Some(Duration::from_secs(30)), &[])
            .expect("free");
        let web = registry
            .register("web", None, &["pendulums".to_owned()])
            .expect("free");
        let identity = Identity {
            name: "labwatch",
            version: "1.2.3",
            commit: Some("abc1234"),
            committed: Some("2026-11-20T11:00:00Z"),
            git_state: Some("clean"),
            built: Some("2026-11-20T12:00:00Z"),
            started: at(0),
        };
        let health_state =
            HealthState::new(settings, identity, hands.clock(), registry.clone(), seen)
                .expect("free");
        Self {
            hands,
            health_state,
            registry,
            store,
            web,
            passive: Arc::default(),
            snapshots,
            last: Mutex::new(first),
        }
    }

    /// A service that runs, two minutes after its start, with everything well: `pend00`, `pend01`
    /// and `spin00`.
    pub fn well() -> Self {
        Self::well_with(settings())
    }

    pub fn well_with(settings: Settings) -> Self {
        let bench = Self::new(settings);
        bench.hands.set(100);
        bench.store.report(Finding::ok());
        bench.web.report(Finding::ok());
        bench.show(100, |lab| {
            *lab = live(vec![
                healthy("pend00"),
                healthy("pend01"),
                healthy("spin00"),
            ]);
        });
        bench.turn(120);
        bench
    }

    /// Changes the laboratory.
    pub fn show(&self, seconds: u64, change: impl FnOnce(&mut Snapshot)) {
        self.hands.set(seconds);
        let mut last = self.last.lock().expect("no panic");
        last.at = at(seconds);
        change(&mut last);
        last.version += 1;
        last.counts = count(&last);
        self.snapshots.send_replace(Arc::new(last.clone()));
        // The start is over when it is seen that it is.
        drop(self.health_state.snapshot());
    }

    /// Sets the acknowledgements.
    pub fn acknowledge(&self, acks: &Acks) {
        let seconds = self.hands.now().mono().as_secs() - 1_000_000;
        self.show(seconds, |lab| {
            let all = acks
                .installation
                .iter()
                .map(|ack| (Subject::Installation, ack));
            let experiments = acks.experiments.iter().map(|(name, ack)| {
                (
                    Subject::Experiment(Stub::try_new(name).expect("a name")),
                    ack,
                )
            });
            let components = acks.components.iter();
            let components = components.map(|(name, ack)| (Subject::Component(name.clone()), ack));
            let notes = all.chain(experiments).chain(components);
            lab.notes = Arc::new(notes.map(|(subject, ack)| note(subject, ack)).collect());
            let away = acks.away.iter();
            for name in away {
                let mut view = (**lab.experiment(name).expect("known")).clone();
                view.suppression = Some(Suppression {
                    kind: SuppressionKind::Maintenance,
                    id: None,
                    by: "bob".into(),
                    text: "moved".into(),
                    until: None,
                });
                put(lab, view);
            }
        });
    }

    /// The loop turns, and store and web are found well.
    pub fn turn(&self, seconds: u64) {
        self.hands.set(seconds);
        self.health_state.turned();
        self.store.report(Finding::ok());
    }
}

fn note(subject: Subject, ack: &Ack) -> NoteView {
    NoteView {
        id: None,
        entry: SuppressionEntry::Acknowledgement(Acknowledgement {
            subject,
            health: Health::Down,
            who: ack.by.clone(),
            text: ack.text.clone(),
            since: ack.at,
            until: ack.until,
        }),
        active: true,
        next: None,
        last: None,
    }
}

/// A category that a fault has closed.
pub fn closed(lab: &mut Snapshot, name: &str, reason: &str, quarantined: &[&str]) {
    let stubs = quarantined
        .iter()
        .map(|stub| Stub::try_new(stub).expect("a name"));
    let state = CategoryState {
        enabled: false,
        at: lab.at,
        by: "labwatch".into(),
        cause: CategoryCause::Fault,
        reason: reason.into(),
        quarantined: stubs.collect(),
    };
    Arc::make_mut(&mut lab.categories).insert(name.into(), state);
}

pub fn ack(text: &str) -> Ack {
    Ack {
        by: "bob".into(),
        text: text.into(),
        at: at(110),
        until: None,
    }
}

/// An outside service of which one check fails.
pub fn ailing_service() -> Finding {
    let checks = [("db", true, 2), ("mail", false, 1)].map(|(name, ok, severity)| SingleCheck {
        name: name.into(),
        ok,
        severity,
        check_output: if ok { String::new() } else { "refused".into() },
        last_updated: "2026-11-21T00:01:50Z".into(),
        ..SingleCheck::default()
    });
    Finding {
        checks: Arc::from(checks),
        ..Finding::error("1 of its checks failing (mail)")
    }
}

/// Replaces an experiment.
pub fn put(lab: &mut Snapshot, view: ExperimentView) {
    let mut all: Vec<_> = lab
        .experiments
        .iter()
        .filter(|known| known.stub != view.stub)
        .cloned()
        .collect();
    all.push(Arc::new(view));
    all.sort_by(|a, b| a.stub.cmp(&b.stub));
    lab.experiments = Arc::new(all);
}

/// Nothing was received, nothing is known.
pub fn without_reports() -> Snapshot {
    Snapshot {
        version: 1,
        at: at(0),
        started: at(0),
        role: Role::Leader,
        is_shadow: false,
        changed: 1,
        experiments: Arc::default(),
        counts: Counts::default(),
        sources: SourceName::ALL.map(|name| source(name, SourceHealth::Starting, None)),
        standings: Arc::default(),
        holds: Arc::default(),
        causes: Arc::default(),
        routes: vec![RouteView {
            name: RouteName::try_new("mail").expect("a name"),
            channel: Channel::Mail,
            last_sent: None,
            waiting_since: None,
            fault: None,
            failures: 0,
            refused: None,
            unreached: Vec::new(),
        }],
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
    }
}

/// All sources have reported for a second.
pub fn live(experiments: Vec<ExperimentView>) -> Snapshot {
    let mut report = Report::default();
    for view in &experiments {
        for stream in &view.streams {
            let tx = Some(Traffic {
                last: Some(Duration::from_millis(100)),
                size: 100,
                fps: 25.5,
            });
            report.push(Connection {
                topic: stream.topic.as_str(),
                scopes: Scopes::EXPT.with(Scopes::WRITE),
                connected: START,
                expires: START,
                remote: "10.99.88.77",
                user_agent: "relay/expt",
                tx,
                rx: None,
            });
        }
    }
    let mut sources = SourceName::ALL.map(|name| source(name, SourceHealth::Live, Some(at(119))));
    sources[0].report = Some(Arc::new(report));
    Snapshot {
        experiments: Arc::new(experiments.into_iter().map(Arc::new).collect()),
        sources,
        ..without_reports()
    }
}

pub fn source(
    name: SourceName,
    health: SourceHealth,
    last_report: Option<Timestamp>,
) -> SourceView {
    SourceView {
        name,
        health,
        since: at(1),
        last_report,
        pace: None,
        link: Link::Open,
        note: String::new(),
        said: engine::model::Private::default(),
        server_started: None,
        hides: 0,
        unreadable_entries: 0,
        canary: None,
        report: None,
    }
}

/// An experiment with two required streams and nothing wrong.
pub fn healthy(stub: &str) -> ExperimentView {
    let stub = Stub::try_new(stub).expect("a name");
    let streams = ["st-data", "st-video"].map(|key| StreamView {
        topic: Topic::of(&stub, key).expect("a name"),
        required: true,
        health: StreamHealth::Active,
        evidence: Evidence::Statistics,
        seen: Seen::InNewest,
        last: None,
    });
    ExperimentView {
        resources: vec![resource(&stub, Bookable::Yes)],
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
        streams: streams.into(),
        first_seen: at(1),
        grace_until: None,
        last_listed: Some(at(1)),
        events: Vec::new(),
        pools: Vec::new(),
        affected: Affected::default(),
        advice: None,
        is_lost: false,
        stub,
    }
}

/// Its video is missing.
pub fn down(stub: &str) -> ExperimentView {
    let mut view = healthy(stub);
    let video = &mut view.streams[1];
    (video.health, video.seen) = (StreamHealth::Missing, Seen::At(at(60)));
    view.issues = vec![Issue::Required(video.topic.clone(), StreamHealth::Missing)];
    (view.health, view.since) = (Health::Down, at(70));
    view.resources = vec![resource(&view.stub, Bookable::Withdrawn)];
    view
}

/// Its remote login is lost.
pub fn degraded(stub: &str) -> ExperimentView {
    let issues = vec![Issue::JumpLost];
    ExperimentView {
        health: Health::Degraded,
        jump: JumpHealth::Lost,
        jump_seen: Seen::At(at(60)),
        issues,
        ..healthy(stub)
    }
}

/// It is not evaluated: it was seen for the first time a moment ago, or (without grace) relay reports
/// nothing.
pub fn unknown(stub: &str, grace_until: Option<Timestamp>) -> ExperimentView {
    let mut view = ExperimentView {
        health: Health::Unknown,
        jump: JumpHealth::Unknown,
        grace_until,
        ..healthy(stub)
    };
    for stream in &mut view.streams {
        (stream.health, stream.seen) = (StreamHealth::Unknown, Seen::Never);
    }
    view.jump_seen = Seen::Never;
    view
}

/// A person has withdrawn it.
pub fn held(mut view: ExperimentView) -> ExperimentView {
    view.resources = vec![resource(&view.stub, Bookable::Held)];
    view
}

fn resource(stub: &Stub, bookable: Bookable) -> ResourceView {
    let name = ResourceName::try_new(&format!("r-{stub}")).expect("a name");
    ResourceView {
        name,
        bookable: Some(bookable),
        reason: String::new(),
        read: Some(at(1)),
        fault: None,
        manual_override: None,
    }
}

fn count(lab: &Snapshot) -> Counts {
    let of = |health: Health| {
        lab.experiments
            .iter()
            .filter(|view| view.health == health)
            .count()
    };
    Counts {
        total: lab.experiments.len(),
        ok: of(Health::Ok),
        degraded: of(Health::Degraded),
        down: of(Health::Down),
        unknown: of(Health::Unknown),
        ..Counts::default()
    }
}
