//! The state of the API, and the router of everything.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{LINK, LOCATION};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use tokio::sync::watch;

use super::auth::authenticator::Authenticator;
use super::auth::login;
use super::cluster_state::ClusterState;
use super::commands::OrderState;
use super::cors::Cors;
use super::health_state::HealthRoutes;
use super::idempotency::Idempotency;
use super::metrics::{self, MetricsEndpoint};
use super::response_cache::Shared;
use super::routes::Routes;
use super::served::Served;
use super::v2::{self, JsonCache, Live, Past};
use super::{error, health, middleware, v1};
use crate::http::auth::Need;
use crate::store::Reader;
use engine::Snapshot;

/// What the API answers from.
#[derive(Clone)]
pub struct ApiState {
    /// The newest snapshot. There is always one; before the first report it is empty.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// The reader of the store; `None` where no history is kept.
    pub history: Option<Reader>,
    /// The stream of changes.
    pub live: Arc<Live>,
    /// The metrics for Prometheus; without them there is no `/metrics`.
    pub metrics: Option<MetricsEndpoint>,
    /// The service's own health; without it there are no health endpoints.
    pub health: Option<HealthRoutes>,
    /// Sends commands; without it there are no paths for them.
    pub orders: Option<OrderState>,
    /// The sites whose pages may use the API.
    pub cors: Cors,
    /// The cluster; `None`: this labwatch is the only one.
    pub cluster: Option<ClusterState>,
}

impl ApiState {
    /// A state with snapshots and their changes only.
    #[must_use]
    pub fn new(snapshots: watch::Receiver<Arc<Snapshot>>) -> Self {
        Self {
            live: Live::new(snapshots.clone()),
            snapshots,
            history: None,
            metrics: None,
            health: None,
            orders: None,
            cors: Cors::Off,
            cluster: None,
        }
    }
}

/// All routes and those of `others`, each behind the authenticator.
pub fn router(state: ApiState, authenticator: &Arc<Authenticator>, others: Routes) -> Router {
    let (metrics, cors) = (state.metrics.clone(), state.cors.clone());
    let cluster = state.cluster.clone();
    let guarded = routes(state, authenticator)
        .merge(others)
        .guarded(authenticator, cluster.as_ref())
        .fallback(|uri: Uri| async move { error::no_such_path(&uri) });
    let counted = match metrics {
        Some(metrics) => metrics::counted(guarded, metrics),
        None => guarded,
    };
    let base: Arc<str> = authenticator.settings.base.as_str().into();
    let placed = counted.layer(from_fn_with_state(base, place));
    middleware::with_layers(placed, cors)
}

/// Prefixes the addresses in an answer with the path below which we are reached.
async fn place(State(base): State<Arc<str>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if base.is_empty() {
        return response;
    }
    let is_made = response.status() == StatusCode::CREATED;
    let headers = response.headers_mut();
    for (name, before) in [(LINK, "</"), (LOCATION, "/")] {
        let named = headers.get(&name).and_then(|named| named.to_str().ok());
        let rest = named.and_then(|named| named.strip_prefix(before));
        let (front, _) = before.split_at(before.len() - 1);
        let placed = rest.map(|rest| HeaderValue::try_from(format!("{front}{base}/{rest}")));
        if let Some(Ok(placed)) = placed.filter(|_| name == LINK || is_made) {
            headers.insert(name, placed);
        }
    }
    response
}

/// The health endpoints alone, behind the same authenticator: for a separate listener.
pub fn health_router(health: &HealthRoutes, authenticator: &Arc<Authenticator>) -> Router {
    let guarded = health::routes(health)
        .guarded(authenticator, None)
        .fallback(|uri: Uri| async move { error::no_such_path(&uri) });
    middleware::with_layers(guarded, Cors::Off)
}

/// All routes of this state, without those of the page.
pub fn routes(state: ApiState, authenticator: &Arc<Authenticator>) -> Routes {
    let served = Arc::new(Served {
        snapshots: state.snapshots,
        past: Past::new(state.history),
        live: state.live,
        health_state: state
            .health
            .as_ref()
            .map(|health| health.health_state.clone()),
        open: Shared::default(),
        whole: Shared::default(),
        json_cache: JsonCache::default(),
    });
    let kept = Arc::new(Idempotency::default());
    let routes = v1::routes()
        .merge(v2::reading())
        .merge(v2::docs_routes())
        .with_state(&served)
        .merge(v2::access_routes().with_state(authenticator))
        .merge(v2::cluster_routes(&kept).with_state(&state.cluster))
        .merge(login_routes().with_state(authenticator));
    let routes = state.health.into_iter().fold(routes, |routes, health| {
        routes
            .merge(v2::health_routes(&health, &kept))
            .merge(health::routes(&health))
    });
    let routes = state.orders.into_iter().fold(routes, |routes, orders| {
        routes.merge(v2::command_routes(&orders, &kept))
    });
    state.metrics.into_iter().fold(routes, |routes, metrics| {
        routes.merge(metrics::routes().with_state(&metrics))
    })
}

/// Sign-in and sign-out for browsers.
fn login_routes() -> Routes<Arc<Authenticator>> {
    Routes::needing(Need::Always)
        .add_page(Method::POST, "/login", login::sign_in)
        .add_page(Method::POST, "/logout", login::sign_out)
}
