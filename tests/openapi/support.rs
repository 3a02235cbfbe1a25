//! The whole API over a laboratory made by hand: every route that there is, and commands that
//! change the snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::model::{Bookable, Health, JumpHealth, Moment, RouteName, Stub};
use engine::{
    Acknowledgement, ActiveSuppressions, CategoryCause, CategoryState, Channel, Command, Hold,
    HoldView, Issue, Maintenance, NoteView, Receipt, Refusal, Silence, Snapshot, Subject,
    SuppressionEntry, SuppressionId,
};
use jiff::Timestamp;
use labwatch::health::{
    HealthState, Identity, Levels, PassiveChecks, Probes, Refresher, Registry, Settings,
};
use labwatch::http::auth::{
    Audit, Authority, Grant, Kept, Reading, Reportable, Revocations, Scope,
};
use labwatch::http::page::WebState;
use labwatch::http::{
    AccessSettings, Answered, ApiState, Authenticator, Cors, Give, HealthRoutes, MetricsEndpoint,
    OrderState, Reports, Routes, TestMessages, TestOutcome, TestedRecipient, TestedRoute,
    report_routes, router, routes, serve,
};
use labwatch::store::Reader;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::lab::{Lab, at, healthy, resource};

#[path = "../api_v1/lab.rs"]
#[allow(dead_code, reason = "the tests of version 1 use all of it")]
pub mod lab;

/// The secret that signs the tests' tokens.
const SECRET: &str = "the-secret-of-the-tests-of-documents";

/// A laboratory of 250 experiments, of which `pend000` is down.
pub fn large() -> Arc<Snapshot> {
    of(250)
}

/// A laboratory of so many experiments, of which `pend000` is down.
pub fn of(count: usize) -> Arc<Snapshot> {
    let lab = (0..count).fold(Lab::new(), |lab, n| {
        let mut view = healthy(&format!("pend{n:03}"));
        if n == 0 {
            (view.health, view.jump) = (Health::Down, JumpHealth::Lost);
            view.issues = vec![Issue::JumpLost];
        }
        view.resources = vec![resource(
            &format!("r-pend{n:03}"),
            Some(Bookable::Yes),
            "new",
        )];
        lab.with(view)
    });
    lab.snapshot()
}

/// A log that cannot be set.
struct Log;

impl Levels for Log {
    fn levels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([(String::new(), "warn".to_owned())])
    }

    fn set(&self, _: &[&str], _: &str) -> Result<(), String> {
        Ok(())
    }
}

/// The parts that every route is made of.
pub struct Parts {
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    pub given: Arc<Mutex<Vec<String>>>,
    api: ApiState,
    page: WebState,
    authenticator: Arc<Authenticator>,
}

impl Parts {
    pub fn new(snapshot: Arc<Snapshot>, reading: Reading, history: Option<Reader>) -> Self {
        let (snapshots, receiver) = watch::channel(snapshot);
        let given = Arc::default();
        let authenticator = authenticator(reading);
        let orders = orders(&snapshots, Arc::clone(&given));
        let health = health(&receiver, &orders.give);
        let metrics = MetricsEndpoint {
            content_type: "application/openmetrics-text; version=1.0.0; charset=utf-8",
            text: Arc::new(|| Some("# EOF\n".to_owned())),
            count: Arc::new(|_, _, _| {}),
        };
        let page = WebState {
            snapshots: receiver.clone(),
            store: None,
            cluster: None,
            stream: None,
            orders: Some(orders.clone()),
            categories: None,
            reports: Reports::of(None),
            base: Arc::from(""),
            label: Arc::from("lab"),
            zone: Arc::new(|| jiff::tz::TimeZone::UTC),
            title: Arc::new(|_| None),
        };
        let api = ApiState {
            history,
            metrics: Some(metrics),
            health: Some(health),
            orders: Some(orders),
            ..ApiState::new(receiver)
        };
        Self {
            snapshots,
            given,
            api,
            page,
            authenticator,
        }
    }

    fn others(&self) -> Routes {
        labwatch::http::page::routes(&self.page).merge(report_routes(&Reports::of(None)))
    }
}

/// Every route.
pub fn all() -> Routes {
    let parts = Parts::new(Lab::new().snapshot(), Reading::Open, None);
    let others = parts.others();
    routes(parts.api, &parts.authenticator).merge(others)
}

/// The API on a port of its own; it stops when it is dropped.
pub struct Server {
    pub address: SocketAddr,
    pub client: reqwest::Client,
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    /// The commands that were given.
    pub given: Arc<Mutex<Vec<String>>>,
    /// The token of a maintainer.
    pub admin: String,
    _tasks: JoinSet<()>,
}

impl Server {
    pub async fn start(snapshot: Arc<Snapshot>) -> Self {
        Self::of(Parts::new(snapshot, Reading::Open, None), Cors::Off).await
    }

    pub async fn of(mut parts: Parts, cors: Cors) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("has an address");
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&parts.api.live).follow(stop.clone()));
        let others = parts.others();
        parts.api.cors = cors;
        let router = router(parts.api, &parts.authenticator, others);
        let serving = serve(listener, router, stop);
        tasks.spawn(async { serving.await.expect("serves") });
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        Self {
            address,
            client,
            snapshots: parts.snapshots,
            given: parts.given,
            admin: token(Scope::Admin),
            _tasks: tasks,
        }
    }

    pub fn ask(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.client
            .request(method, format!("http://{}{path}", self.address))
    }

    pub fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.ask(reqwest::Method::GET, path)
    }

    /// A request of a maintainer with a body.
    pub fn post(&self, path: &str, body: &serde_json::Value) -> reqwest::RequestBuilder {
        self.ask(reqwest::Method::POST, path)
            .bearer_auth(&self.admin)
            .header("content-type", "application/json")
            .body(body.to_string())
    }

    /// How many commands were given.
    pub fn count(&self) -> usize {
        self.given.lock().expect("whole").len()
    }

    /// Changes the snapshot that is shown.
    pub fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        self.snapshots
            .send_modify(|snapshot| change(Arc::make_mut(snapshot)));
    }
}

/// A token with this scope.
pub fn token(scope: Scope) -> String {
    let grant = Grant {
        name: "tool".to_owned(),
        scopes: [scope].into_iter().collect(),
        reports: reports(scope),
        life: Duration::from_secs(600),
    };
    Authority::new(&SECRET.into())
        .issue(&grant, Timestamp::now())
        .expect("issues")
        .token
}

/// What a token that reports names.
fn reports(scope: Scope) -> Reportable {
    let named = (scope == Scope::Report).then(|| vec!["wiki".to_owned(), "store".to_owned()]);
    Reportable::try_from(named.unwrap_or_default()).expect("are names")
}

fn authenticator(reading: Reading) -> Arc<Authenticator> {
    let settings = AccessSettings {
        secret: Some(SECRET.into()),
        reading,
        session: Duration::from_secs(3_600),
        trusted_proxies: Vec::new(),
        url: None,
        base: String::new(),
    };
    let keep = Box::new(|_, _| Box::pin(std::future::ready(true)) as Kept);
    Arc::new(Authenticator::new(
        settings,
        Revocations::recall([], Timestamp::now(), keep),
        Audit::new(|_, _| {}),
    ))
}

fn health(receiver: &watch::Receiver<Arc<Snapshot>>, give: &Arc<Give>) -> HealthRoutes {
    let clock = || Moment::new(at(60), Duration::from_secs(60));
    let registry = Registry::new(Arc::new(clock));
    let passive = PassiveChecks::knowing(&["store"]);
    passive
        .add(&registry, "wiki", &[], Duration::from_secs(60))
        .expect("free");
    let identity = Identity {
        name: "labwatch",
        version: "0.1.0",
        commit: None,
        committed: None,
        git_state: None,
        built: None,
        started: at(0),
    };
    let health_state = HealthState::new(
        Settings::default(),
        identity,
        Arc::new(clock),
        registry,
        receiver.clone(),
    )
    .expect("free");
    HealthRoutes {
        refresher: Arc::new(Refresher::new(
            health_state.clone(),
            Probes::default().asker(),
            Box::new(|| {}),
        )),
        health_state,
        passive: Arc::new(passive),
        contributors: Arc::new([]),
        endpoints: Arc::new([]),
        give: Arc::clone(give),
        levels: Some(Arc::new(Log)),
    }
}

/// Commands that are checked as the engine does, and change the snapshot at once.
fn orders(snapshots: &watch::Sender<Arc<Snapshot>>, given: Arc<Mutex<Vec<String>>>) -> OrderState {
    let (receiver, changing) = (snapshots.subscribe(), snapshots.clone());
    let give = move |command: Command, by: String| {
        let outcome = carried_out(&changing, &command, &by);
        given.lock().expect("whole").push(command.to_string());
        Box::pin(std::future::ready(outcome)) as Answered
    };
    OrderState {
        snapshots: receiver,
        component: Arc::new(|name| (name == "relay").then_some(false)),
        give: Arc::new(give),
        tests: testable(),
    }
}

/// One route, and no one who carries its tests.
fn testable() -> TestMessages {
    let route = || TestedRoute {
        route: RouteName::everybody(),
        channel: Channel::Mail,
        recipients: vec![TestedRecipient {
            recipient: "ann@example.org".to_owned(),
            outcome: TestOutcome::Pending,
        }],
    };
    TestMessages {
        routes: Arc::new(move || vec![route()]),
        ..TestMessages::none()
    }
}

fn carried_out(
    snapshots: &watch::Sender<Arc<Snapshot>>,
    command: &Command,
    by: &str,
) -> Result<Receipt, Refusal> {
    let effect = snapshots.borrow().preview(command, by)?;
    let mut ids = Vec::new();
    snapshots.send_modify(|snapshot| {
        let snapshot = Arc::make_mut(snapshot);
        let free = snapshot.notes.iter().filter_map(|note| note.id).max();
        let id = SuppressionId(free.map_or(1, |id| id.0 + 1));
        let stub = effect.stubs.first().cloned();
        if let Some(entry) = entry(command, stub, by) {
            ids.push(id);
            let note = NoteView {
                id: Some(id),
                entry,
                active: true,
                next: None,
                last: None,
            };
            Arc::make_mut(&mut snapshot.notes).push(note);
        }
        match command {
            Command::Remove { id } => {
                ids.push(*id);
                Arc::make_mut(&mut snapshot.notes).retain(|note| note.id != Some(*id));
            }
            Command::Hold { resource, reason } => {
                let hold = HoldView {
                    resource: resource.clone(),
                    hold: Hold {
                        since: at(60),
                        touched: at(60),
                        reason: reason.clone(),
                    },
                    blocked: effect.affected.unwrap_or_default(),
                    healthy_since: None,
                    overdue: false,
                };
                Arc::make_mut(&mut snapshot.holds).push(hold);
            }
            Command::Enable { resource } => {
                Arc::make_mut(&mut snapshot.holds).retain(|hold| hold.resource != *resource);
            }
            Command::Category { name, open, reason } => {
                let state = CategoryState {
                    enabled: *open,
                    at: at(60),
                    by: by.to_owned(),
                    cause: CategoryCause::Person,
                    reason: reason.clone(),
                    quarantined: BTreeSet::new(),
                };
                Arc::make_mut(&mut snapshot.categories).insert(name.clone(), state);
            }
            Command::Acknowledge { .. }
            | Command::Unacknowledge { .. }
            | Command::Silence { .. }
            | Command::Maintain { .. } => {}
        }
        if let Command::Hold { resource, .. } | Command::Enable { resource } = command {
            let held = matches!(command, Command::Hold { .. });
            for view in Arc::make_mut(&mut snapshot.experiments) {
                let of = view.resources.iter().position(|of| of.name == *resource);
                if let Some(at) = of {
                    let bookable = if held { Bookable::Held } else { Bookable::Yes };
                    Arc::make_mut(view).resources[at].bookable = Some(bookable);
                }
            }
        }
        let notes = snapshot.notes.iter();
        let entries = notes.filter_map(|note| Some((note.id?, note.entry.clone())));
        snapshot.suppressions = Arc::new(ActiveSuppressions::restore(entries, 0));
    });
    Ok(Receipt {
        ids,
        effect,
        kept: true,
    })
}

fn entry(command: &Command, stub: Option<Stub>, by: &str) -> Option<SuppressionEntry> {
    let (who, since) = (by.to_owned(), at(60));
    match command {
        Command::Acknowledge { text, until, .. } => {
            Some(SuppressionEntry::Acknowledgement(Acknowledgement {
                subject: Subject::Experiment(stub?),
                health: Health::Down,
                who,
                text: text.clone(),
                since,
                until: *until,
            }))
        }
        Command::Silence {
            pattern,
            until,
            reason,
        } => Some(SuppressionEntry::Silence(Silence {
            pattern: pattern.clone(),
            who,
            reason: reason.clone(),
            since,
            until: *until,
        })),
        Command::Maintain {
            pattern,
            schedule,
            reason,
        } => Some(SuppressionEntry::Maintenance(Maintenance {
            pattern: pattern.clone(),
            who,
            reason: reason.clone(),
            since,
            schedule: schedule.clone(),
        })),
        Command::Unacknowledge { .. }
        | Command::Remove { .. }
        | Command::Hold { .. }
        | Command::Category { .. }
        | Command::Enable { .. } => None,
    }
}
