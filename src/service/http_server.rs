//! Starts the HTTP servers: connects access, page and API to the settings, the store and the log,
//! and serves with the configured certificate.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Arc;

use axum::Router;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};

use super::audit::audit_log;
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
use crate::http::auth::{Audit, Keep, Revocations};
use crate::http::{
    self, Answered, Authenticator, Certificate, Door, Give, HealthRoutes, OrderState, TestMessages,
    TlsFiles, page,
};
use crate::store::{Entry, Store};
use crate::telemetry::metrics::{Counters, Queue};
use engine::{Input, Snapshot};

/// The authenticator, with the revoked tokens in the store. New revocations are written to the
/// store, if there is one.
fn authenticator(
    settings: &ApiSettings,
    keep: &BTreeMap<String, Value>,
    store: Option<Store>,
) -> Authenticator {
    let revocations = Revocations::recall(keep, Timestamp::now(), self::keep(store.clone()));
    Authenticator::new(access(settings), revocations, Audit::new(audit_log(store)))
}

/// Writes small values to the store, and reports whether they are on disk.
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

/// Dependencies of the API and the page.
pub(super) struct HttpDeps<'a> {
    pub(super) config: ConfigWatch,
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(super) store: Option<Store>,
    /// Small values from the store, by key.
    pub(super) keep: &'a BTreeMap<String, Value>,
    pub(super) state: HealthRoutes,
    pub(super) commands: CommandSender,
    pub(super) counters: Arc<Counters>,
    pub(super) queues: Vec<Queue>,
    pub(super) cluster: Option<Links>,
    pub(super) http: &'a Clients,
    pub(super) inputs: mpsc::WeakSender<Input>,
}

/// Starts all HTTP servers, and the reports that are made for them.
pub(super) fn open(
    deps: HttpDeps<'_>,
    listeners: Listeners,
    parts: &mut TaskSet,
) -> Result<(), ServiceError> {
    let HttpDeps {
        config: followed,
        snapshots,
        store,
        keep,
        state,
        ..
    } = deps;
    let health_state = state.health_state.clone();
    let config = Arc::clone(&followed.borrow());
    let (kept, links) = ((store.as_ref(), keep), deps.cluster.as_ref());
    let wakes = test_messages::Wakes {
        inputs: deps.inputs,
        reports: Arc::new(Notify::new()),
    };
    let retry = Arc::clone(&wakes.reports);
    let reports = reports::start(&followed, kept, links, parts, retry);
    let authenticator = Arc::new(authenticator(&config.api, keep, store.clone()));
    cluster_sharing::start(links, &authenticator, parts);
    let metrics = config.surfaces.metrics.then(|| {
        let shown = (snapshots.clone(), health_state.clone());
        metrics::endpoint(shown, &deps.counters, deps.queues, store.clone(), links)
    });
    let commands = deps.commands.clone();
    component_acks::start(health_state.clone(), snapshots.clone(), commands, parts);
    let cluster_view = links.map(|links| links.view.clone());
    let cluster = deps
        .cluster
        .map(|links| links.http(&deps.http.tls))
        .transpose()?;
    let http = deps.http.access.clone();
    let audit = Box::new(audit_log(store.clone()));
    let tests = test_messages::start(followed.clone(), http, wakes, audit, parts);
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
        zone: Arc::new(move || followed.borrow().notifications.zone.rules.clone()),
    });
    let changes = Arc::clone(&answers.live).follow(parts.close());
    parts.spawn_last("stream of changes", changes);
    let endpoints = http::health_router(&state, &authenticator);
    let pages = pages.merge(http::report_routes(&reports));
    let router = page::with_lost_page(http::router(answers, &authenticator, pages), base);
    let actuator = listeners.actuator.into_iter().collect();
    serve("health endpoints", &config.api, parts, actuator, endpoints)?;
    serve("API", &config.api, parts, listeners.api, router)
}

/// The titles of pools for students.
fn title_of(config: ConfigWatch) -> Arc<page::PoolTitle> {
    Arc::new(move |name| config.borrow().pool_titles.get(name).cloned())
}

/// Where commands to the engine are sent.
pub(super) fn give(orders: CommandSender) -> Arc<Give> {
    Arc::new(move |command, by| {
        let orders = orders.clone();
        Box::pin(async move { orders.give(command, by).await }) as Answered
    })
}

/// The same, with the preview of a command's effect.
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

/// Serves this below the API's path, where it listens, over TLS and with a look-out for a new
/// certificate where it has one.
fn serve(
    name: &'static str,
    settings: &ApiSettings,
    parts: &mut TaskSet,
    listeners: Vec<TcpListener>,
    router: Router,
) -> Result<(), ServiceError> {
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
        let following = Arc::clone(certificate).follow(http::RELOAD_EVERY, parts.stop());
        parts.spawn("look-out for a new certificate", following);
    }
    let door = Door {
        certificate,
        trusted_proxies: settings.trusted_proxies.as_slice().into(),
    };
    let serving = listeners.into_iter().map(|listener| {
        let serving = http::serve_through(door.clone(), listener, router.clone(), parts.close());
        serving.map(|outcome| {
            if let Err(error) = outcome {
                tracing::error!(%error, "a listener for HTTP cannot go on");
            }
        })
    });
    let serving = join_all(serving.collect::<Vec<_>>());
    parts.spawn_last(name, serving.map(drop));
    Ok(())
}
