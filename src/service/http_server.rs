//! Starts what answers over HTTP: joins access, page and API to the settings, the store and the log, and serves with the certificate
//! that is set.

use std::collections::BTreeMap;
use std::future::ready;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::cluster::Links;
use super::reload::ConfigWatch;
use super::{ServiceError, TaskSet, component_acks, metrics, reports};
use crate::config::{ApiCors, ApiRead, ApiSettings, Config};
use crate::driver::CommandSender;
use crate::health::{HealthState, State};
use crate::http::auth::{Audit, Keep, Reading, Revocations};
use crate::http::{
    self, AccessSettings, Answered, Authenticator, Certificate, CertificateError, Cors, Door, Give,
    HealthRoutes, OrderState, TlsFiles, page,
};
use crate::store::{Entry, Store};
use crate::telemetry::metrics::{Counters, Queue};
use engine::Snapshot;

/// The gate, with what the memory holds of revoked tokens. What it writes goes into the memory, if there is one.
fn authenticator(
    settings: &ApiSettings,
    memory: &BTreeMap<String, Value>,
    store: Option<Store>,
) -> Authenticator {
    let revocations = Revocations::recall(memory, Timestamp::now(), keep(store.clone()));
    Authenticator::new(access(settings), revocations, audit(store))
}

fn access(settings: &ApiSettings) -> AccessSettings {
    let reading = match settings.read {
        ApiRead::Open => Reading::Open,
        ApiRead::Token => Reading::Token,
        ApiRead::Students => Reading::Students,
    };
    AccessSettings {
        secret: settings.secret.clone(),
        reading,
        session: settings.session,
        trusted_proxies: settings.trusted_proxies.clone(),
        url: settings.url.as_deref().and_then(|url| Url::parse(url).ok()),
        base: base(settings).to_string(),
    }
}

/// Which other sites' pages may use the API.
fn cors(settings: &ApiSettings) -> Cors {
    match &settings.cors {
        ApiCors::None => Cors::Off,
        ApiCors::Any => Cors::Any,
        ApiCors::Origins(origins) => Cors::Origins(origins.clone()),
    }
}

/// The path below which people reach the pages, without a slash at its end: a proxy may have put something in front of our own.
fn base(settings: &ApiSettings) -> Arc<str> {
    let url = settings.url.as_deref().and_then(|url| Url::parse(url).ok());
    url.as_ref()
        .map_or(&*settings.prefix, |url| url.path().trim_end_matches('/'))
        .into()
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

fn audit(store: Option<Store>) -> Audit {
    Audit::new(move |who, what| {
        tracing::info!(who, what, "a change was made over the API");
        let entry = Entry::Audit {
            at: Timestamp::now(),
            who: who.to_owned(),
            what: what.to_owned(),
        };
        let taken = store
            .as_ref()
            .is_none_or(|store| store.write(vec![entry]).is_taken());
        if !taken {
            tracing::error!(
                who,
                what,
                "the memory does not take the record of a change; it stands in the log alone"
            );
        }
    })
}

pub(super) struct Listeners {
    api: Vec<TcpListener>,
    /// The health endpoints alone, beside the API.
    actuator: Option<TcpListener>,
}

impl Listeners {
    /// Takes every address that is configured.
    pub(super) async fn bind(config: &Config) -> Result<Self, ServiceError> {
        let (first, address) = listen(config.api.listen).await?.unzip();
        let port = address.map(|address: SocketAddr| address.port());
        let also = listen_also(&config.api.listen_also, port).await;
        let actuator = listen(config.surfaces.actuator).await?;
        Ok(Self {
            api: first.into_iter().chain(also).collect(),
            actuator: actuator.map(|(listener, _)| listener),
        })
    }

    /// The first address of the API, if it has one.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.api.first()?.local_addr().ok()
    }

    /// The address of the health endpoints' own listener, if they have one.
    pub(super) fn actuator_address(&self) -> Option<SocketAddr> {
        self.actuator.as_ref()?.local_addr().ok()
    }
}

/// What ends the parts. The API ends last, so that a reader who asks meanwhile is told that the service is about to end.
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
    pub(super) tls: &'a rustls::ClientConfig,
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
    let reports = reports::start(&followed, store.as_ref(), keep, parts, stops.all);
    let authenticator = Arc::new(authenticator(&config.api, keep, store.clone()));
    let figures = config.surfaces.metrics.then(|| {
        let (snapshots, store, health_state) =
            (snapshots.clone(), store.clone(), health_state.clone());
        let links = deps.cluster.as_ref();
        metrics::figures(
            snapshots,
            &deps.counters,
            deps.queues,
            store,
            health_state,
            links,
        )
    });
    let acknowledgements = component_acks::follow(
        health_state.clone(),
        snapshots.clone(),
        deps.commands.clone(),
        stops.all.clone(),
    );
    parts.spawn("acknowledgements of components", acknowledgements);
    let cluster = deps.cluster.map(|links| links.http(deps.tls)).transpose()?;
    let orders = orders(give(deps.commands), health_state, snapshots.clone());
    let base = base(&config.api);
    let answers = http::ApiState {
        history: store.as_ref().map(Store::reader),
        figures,
        health: Some(state.clone()),
        orders: Some(orders.clone()),
        cors: cors(&config.api),
        cluster,
        ..http::ApiState::new(snapshots.clone())
    };
    let pages = page::routes(&page::WebState {
        snapshots,
        store,
        stream: Some("/api/v2/stream"),
        orders: Some(orders),
        categories: Some(http::Categories::new(&state)),
        reports: reports.clone(),
        base: Arc::clone(&base),
        label: config.surfaces.label.as_str().into(),
        title: title_of(followed.clone()),
        zone: Arc::new(move || followed.borrow().telling.zone.rules.clone()),
    });
    parts.spawn(
        "stream of changes",
        Arc::clone(&answers.live).follow(stops.api.clone()),
    );
    let endpoints = http::health_router(&state, &authenticator);
    let pages = pages.merge(http::report_routes(&reports));
    let router = page::with_lost_page(http::router(answers, &authenticator, pages), base);
    start_actuator(&config.api, parts, listeners.actuator, endpoints, stops)
        .and_then(|()| start(&config.api, parts, listeners.api, router, stops))
        .map_err(ServiceError::Certificate)
}

/// What students read instead of a pool's name.
fn title_of(config: ConfigWatch) -> Arc<page::PoolTitle> {
    Arc::new(move |name| {
        let config = config.borrow();
        let pool = config.pools.iter().find(|pool| pool.name == name)?;
        pool.title.clone()
    })
}

/// Takes the API's address, where it is to have one, and tells what it is then. Where another program has it, finds out which.
async fn listen(
    asked: Option<SocketAddr>,
) -> Result<Option<(TcpListener, SocketAddr)>, ServiceError> {
    let Some(address) = asked else {
        return Ok(None);
    };
    match TcpListener::bind(address).await {
        Ok(listener) => {
            let listen = listener
                .local_addr()
                .map_err(|error| ServiceError::Listen(address, error))?;
            Ok(Some((listener, listen)))
        }
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            match http::labwatch_on(address).await {
                Some(version) => Err(ServiceError::Another(address, version)),
                None => Err(ServiceError::Listen(address, error)),
            }
        }
        Err(error) => Err(ServiceError::Listen(address, error)),
    }
}

/// Takes the further addresses, on the port of the first one. A host without IPv6 has no `::1`, so one that cannot be had is only said.
async fn listen_also(addresses: &[SocketAddr], port: Option<u16>) -> Vec<TcpListener> {
    let mut listeners = Vec::new();
    for address in addresses {
        let address = SocketAddr::new(address.ip(), port.unwrap_or(address.port()));
        match TcpListener::bind(address).await {
            Ok(listener) => listeners.push(listener),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                tracing::warn!(%address, "another program has this address: the API does not listen there");
            }
            Err(error) => {
                tracing::info!(%address, %error, "the API does not listen on this address");
            }
        }
    }
    listeners
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
) -> OrderState {
    let component = move |name: &str| {
        let picture = health_state.picture();
        picture
            .component(name)
            .map(|component| component.state() == State::Ok)
    };
    OrderState {
        snapshots,
        component: Arc::new(component),
        give,
    }
}

/// Starts the API below its path, where it listens, and the look-out for a new certificate where it has one.
fn start(
    settings: &ApiSettings,
    parts: &mut TaskSet,
    listeners: Vec<TcpListener>,
    router: Router,
    stops: &Stops<'_>,
) -> Result<(), CertificateError> {
    start_as("API", settings, parts, listeners, router, stops)
}

/// Starts the listener of the health endpoints, where they have one, with the path and the certificate of the API.
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
    parts.spawn(name, async move {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn further_addresses_share_the_port_and_may_be_missing() {
        let first = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let port = first.local_addr().expect("bound").port();
        // The second is of a network that is for documentation alone.
        let also = ["127.0.0.2:0", "192.0.2.1:0"].map(|address| address.parse().expect("one"));
        let listeners = listen_also(&also, Some(port)).await;
        let bound: Vec<_> = listeners
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect();
        assert_eq!(bound, [SocketAddr::from(([127, 0, 0, 2], port))]);
        assert!(
            listen_also(&also, Some(port)).await.is_empty(),
            "it is taken now"
        );
    }
}
