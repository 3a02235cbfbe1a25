//! Starts what answers over HTTP: joins access, page and API to the settings, the store and the
//! log, and serves with the certificate that is set.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Arc;

use axum::Router;
use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::audit::{audit, audit_log};
use super::cluster::Links;
use super::config_watch::ConfigWatch;
use super::error::ServiceError;
use super::http_access::{access, base, cors};
use super::listeners::Listeners;
use super::outlets::Clients;
use super::task_set::TaskSet;
use super::{cluster_sharing, component_acks, metrics, reports, test_messages};
use crate::config::ApiSettings;
use crate::driver::CommandSender;
use crate::health::{HealthState, State};
use crate::http::auth::{Keep, Revocations};
use crate::http::{
    self, Answered, Authenticator, Certificate, CertificateError, Door, Give, HealthRoutes,
    OrderState, TestMessages, TlsFiles, page,
};
use crate::store::{Entry, Store};
use crate::telemetry::metrics::{Counters, Queue};
use engine::{Input, Snapshot};

/// The gate, with what the memory holds of revoked tokens. What it writes goes into the memory, if
/// there is one.
fn authenticator(
    settings: &ApiSettings,
    memory: &BTreeMap<String, Value>,
    store: Option<Store>,
) -> Authenticator {
    let revocations = Revocations::recall(memory, Timestamp::now(), keep(store.clone()));
    Authenticator::new(access(settings), revocations, audit(store))
}

/// Keeps small state in the memory, and says whether it is on disk.
pub(super) fn keep(store: Option<Store>) -> Keep {
    Box::new(move |key, value| {
        let Some(store) = store.clone() else {
            return Box::pin(ready(false));
        };
        let lost = store.health().lost;
        let ticket = store.write(vec![Entry::Keep { key, value }]);
        Box::pin(async move {
            store.durable(ticket).await;
            store.health().lost == lost
        })
    })
}

/// What ends the parts. The API ends last, so that a reader who asks meanwhile is told that the
/// service is about to end.
pub(super) struct Stops<'a> {
    pub(super) all: &'a CancellationToken,
    pub(super) api: &'a CancellationToken,
}

/// What the API and the page are made of.
pub(super) struct HttpDeps<'a> {
    pub(super) config: ConfigWatch,
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(super) store: Option<Store>,
    /// The small state that the store remembers.
    pub(super) keep: &'a BTreeMap<String, Value>,
    pub(super) health_state: HealthState,
    pub(super) state: HealthRoutes,
    pub(super) commands: CommandSender,
    pub(super) counters: Arc<Counters>,
    pub(super) queues: Vec<Queue>,
    pub(super) cluster: Option<Links>,
    pub(super) http: &'a Clients,
    pub(super) inputs: mpsc::WeakSender<Input>,
}

/// Starts everything that answers over HTTP, and the reports that are made for it.
pub(super) fn open(
    deps: HttpDeps<'_>,
    listeners: Listeners,
    parts: &mut TaskSet,
    stops: &Stops<'_>,
) -> Result<(), ServiceError> {
    let HttpDeps {
        config: followed,
        snapshots,
        store,
        keep,
        health_state,
        state,
        ..
    } = deps;
    let config = Arc::clone(&followed.borrow());
    let (kept, links) = ((store.as_ref(), keep), deps.cluster.as_ref());
    let wakes = test_messages::Wakes {
        inputs: deps.inputs,
        reports: Arc::new(Notify::new()),
    };
    let retry = Arc::clone(&wakes.reports);
    let reports = reports::start(&followed, kept, links, parts, retry, stops.all);
    let authenticator = Arc::new(authenticator(&config.api, keep, store.clone()));
    cluster_sharing::start(links, &authenticator, parts, stops.all);
    let metrics = config.surfaces.metrics.then(|| {
        let shown = (snapshots.clone(), health_state.clone());
        metrics::endpoint(shown, &deps.counters, deps.queues, store.clone(), links)
    });
    let acknowledging = (health_state.clone(), snapshots.clone());
    start_component_acks(acknowledging, deps.commands.clone(), parts, stops);
    let cluster_view = links.map(|links| links.view.clone());
    let cluster = deps
        .cluster
        .map(|links| links.http(&deps.http.tls))
        .transpose()?;
    let http = deps.http.access.clone();
    let audit = Box::new(audit_log(store.clone()));
    let tests = test_messages::start(followed.clone(), http, wakes, audit, parts, stops.all);
    let orders = orders(give(deps.commands), health_state, snapshots.clone(), tests);
    let base = base(&config.api);
    let answers = http::ApiState {
        history: store.as_ref().map(Store::reader),
        metrics,
        health: Some(state.clone()),
        orders: Some(orders.clone()),
        cors: cors(&config.api),
        cluster,
        ..http::ApiState::new(snapshots.clone())
    };
    let pages = page::routes(&page::WebState {
        snapshots,
        store,
        cluster: cluster_view,
        stream: Some("/api/v2/stream"),
        orders: Some(orders),
        categories: Some(http::Categories::new(&state)),
        reports: reports.clone(),
        base: Arc::clone(&base),
        label: config.surfaces.label.as_str().into(),
        title: title_of(followed.clone()),
        zone: Arc::new(move || followed.borrow().telling.zone.rules.clone()),
    });
    let changes = Arc::clone(&answers.live).follow(stops.api.clone());
    parts.spawn_last("stream of changes", changes);
    let endpoints = http::health_router(&state, &authenticator);
    let pages = pages.merge(http::report_routes(&reports));
    let router = page::with_lost_page(http::router(answers, &authenticator, pages), base);
    start_actuator(&config.api, parts, listeners.actuator, endpoints, stops)
        .and_then(|()| start(&config.api, parts, listeners.api, router, stops))
        .map_err(ServiceError::Certificate)
}

fn start_component_acks(
    (health_state, snapshots): (HealthState, watch::Receiver<Arc<Snapshot>>),
    commands: CommandSender,
    parts: &mut TaskSet,
    stops: &Stops<'_>,
) {
    let following = component_acks::follow(health_state, snapshots, commands, stops.all.clone());
    parts.spawn("acknowledgements of components", following);
}

/// What students read instead of a pool's name.
fn title_of(config: ConfigWatch) -> Arc<page::PoolTitle> {
    Arc::new(move |name| config.borrow().pool_titles.get(name).cloned())
}

/// The way of commands to the engine.
pub(super) fn give(orders: CommandSender) -> Arc<Give> {
    Arc::new(move |command, by| {
        let orders = orders.clone();
        Box::pin(async move { orders.give(command, by).await }) as Answered
    })
}

/// The same, with what says before what a command would do.
fn orders(
    give: Arc<Give>,
    health_state: HealthState,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    tests: TestMessages,
) -> OrderState {
    let component = move |name: &str| {
        let health = health_state.snapshot();
        health
            .component(name)
            .map(|component| component.state() == State::Ok)
    };
    OrderState {
        snapshots,
        component: Arc::new(component),
        give,
        tests,
    }
}

/// Starts the API below its path, where it listens, and the look-out for a new certificate where it
/// has one.
fn start(
    settings: &ApiSettings,
    parts: &mut TaskSet,
    listeners: Vec<TcpListener>,
    router: Router,
    stops: &Stops<'_>,
) -> Result<(), CertificateError> {
    start_as("API", settings, parts, listeners, router, stops)
}

/// Starts the listener of the health endpoints, where they have one, with the path and the
/// certificate of the API.
fn start_actuator(
    settings: &ApiSettings,
    parts: &mut TaskSet,
    listener: Option<TcpListener>,
    router: Router,
    stops: &Stops<'_>,
) -> Result<(), CertificateError> {
    let listeners = listener.into_iter().collect();
    start_as(
        "health endpoints",
        settings,
        parts,
        listeners,
        router,
        stops,
    )
}

fn start_as(
    name: &'static str,
    settings: &ApiSettings,
    parts: &mut TaskSet,
    listeners: Vec<TcpListener>,
    router: Router,
    stops: &Stops<'_>,
) -> Result<(), CertificateError> {
    if listeners.is_empty() {
        return Ok(());
    }
    let router = http::below(&settings.prefix, router);
    let files = settings.tls.as_ref().map(|tls| TlsFiles {
        certificate: tls.cert.clone(),
        key: tls.key.clone(),
    });
    let certificate = files.map(Certificate::load).transpose()?;
    if let Some(certificate) = &certificate {
        parts.spawn(
            "look-out for a new certificate",
            Arc::clone(certificate).follow(http::RELOAD_EVERY, stops.all.clone()),
        );
    }
    let door = Door {
        certificate,
        trusted_proxies: settings.trusted_proxies.as_slice().into(),
    };
    let serving = listeners
        .into_iter()
        .map(|listener| serve(door.clone(), listener, router.clone(), stops.api.clone()));
    let serving = join_all(serving.collect::<Vec<_>>());
    parts.spawn_last(name, async move {
        serving.await;
    });
    Ok(())
}

/// Serves until `stop`, over TLS where there is a certificate.
async fn serve(door: Door, listener: TcpListener, router: Router, stop: CancellationToken) {
    if let Err(error) = http::serve_through(door, listener, router, stop).await {
        tracing::error!(%error, "a listener for HTTP cannot go on");
    }
}
