//! The paths of version 1, and of what is not in another file. Who may ask for them stands in `table.rs`, what their answers have in common
//! in `manners.rs`.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde::Serialize;
use tokio::sync::watch;

use super::authenticator::Authenticator;
use super::commands::{self, OrderState};
use super::document::DOCUMENT_JSON;
use super::error::{self, ApiError};
use super::etag::Tag;
use super::event::Event;
use super::experiment::{self, Experiment};
use super::health::{self, HealthRoutes};
use super::metrics::{self, Figures};
use super::response_cache::Shared;
use super::v2::{self, Live, Past, Sheets};
use super::{categories, layer, login, middleware, passive_checks, tokens};
use crate::health::HealthState;
use crate::http::auth::Caller;
use crate::store::Reader;
use engine::{ExperimentView, Snapshot};

/// What the API answers from.
#[derive(Debug, Clone)]
pub struct ApiState {
    /// The newest snapshot. There is always one; before the first report it is empty.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// The side of the store that answers questions; `None` where no history is kept.
    pub history: Option<Reader>,
    /// What changes, for those who listen.
    pub live: Arc<Live>,
    /// The figures for Prometheus; without them there is no `/metrics`.
    pub figures: Option<Figures>,
    /// The service's own health; without it there are no paths of it.
    pub health: Option<HealthRoutes>,
    /// Where commands go; without it there are no paths of them.
    pub orders: Option<OrderState>,
}

impl ApiState {
    /// A state of snapshots and what changes between them alone.
    #[must_use]
    pub fn new(snapshots: watch::Receiver<Arc<Snapshot>>) -> Self {
        Self {
            live: Live::new(snapshots.clone()),
            snapshots,
            history: None,
            figures: None,
            health: None,
            orders: None,
        }
    }
}

/// All paths, and those of `others`, behind one gate.
pub fn router(state: ApiState, authenticator: Arc<Authenticator>, others: Router) -> Router {
    let served = Served {
        snapshots: state.snapshots,
        past: Past::new(state.history),
        live: state.live,
        desk: state.health.as_ref().map(|health| health.desk.clone()),
        open: Shared::default(),
        whole: Shared::default(),
        list: Shared::default(),
        sheets: Sheets::default(),
        start: fastrand::u64(..),
    };
    let routes = Router::new()
        .route("/api/v1/experiments", get(experiments))
        .route("/api/v1/experiments/", get(experiments))
        .route("/api/v1/experiments/events/{name}", get(events))
        .route("/api/v1/openapi.json", get(document))
        .route("/swagger.json", get(document_above))
        .merge(v2::routes())
        .with_state(Arc::new(served));
    let access = Router::new()
        .route("/api/v1/session", get(login::who))
        .route("/api/v1/tokens", get(tokens::revoked))
        .route("/api/v1/tokens/{id}", delete(tokens::revoke))
        .route("/login", post(login::sign_in))
        .route("/logout", post(login::sign_out))
        .with_state(Arc::clone(&authenticator));
    let routes = routes.merge(access).merge(others);
    let routes = state.health.into_iter().fold(routes, |routes, health| {
        let categories = categories::routes(&health);
        routes
            .merge(categories)
            .merge(passive_checks::routes(&health))
            .merge(health::routes(health))
    });
    let routes = state.orders.into_iter().fold(routes, |routes, orders| {
        routes.merge(commands::routes(orders))
    });
    let routes = match state.figures {
        Some(figures) => metrics::counted(
            layer::before(
                routes.merge(metrics::routes(figures.clone())),
                authenticator,
            ),
            figures,
        ),
        None => layer::before(routes, authenticator),
    };
    middleware::dressed(routes)
}

/// The health endpoints alone, behind the same gate: for a listener of their own.
pub fn health_router(health: HealthRoutes, authenticator: Arc<Authenticator>) -> Router {
    middleware::dressed(layer::before(health::routes(health), authenticator))
}

/// What the handlers share.
pub(super) struct Served {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(super) past: Past,
    pub(super) live: Arc<Live>,
    /// What knows the categories, where there is one.
    pub(super) desk: Option<HealthState>,
    /// The list of version 1 as everybody may see it.
    open: Shared<Snapshot>,
    /// The list of version 1 with what is private.
    whole: Shared<Snapshot>,
    /// The list of version 2.
    pub(super) list: Shared<Vec<Arc<ExperimentView>>>,
    pub(super) sheets: Sheets,
    /// Tells the snapshots of this process from those of another.
    start: u64,
}

impl Served {
    /// The newest snapshot. The channel is held only as long as it takes to count one more reader.
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// What changes when the snapshot does, or who sees it.
    fn tag(&self, snapshot: &Snapshot, private: bool) -> Tag {
        Tag::new(format_args!(
            "{:x}-{}-{}",
            self.start,
            snapshot.version,
            u8::from(private)
        ))
    }

    /// What changes only when experiments do, or what surrounds them.
    pub(super) fn steady_tag(&self, snapshot: &Snapshot) -> Tag {
        Tag::new(format_args!("{:x}-{}", self.start, snapshot.changed))
    }
}

/// All experiments, sorted by name.
#[utoipa::path(
    get,
    path = "/api/v1/experiments",
    tag = "experiments",
    responses((status = 200, description = "All experiments; an empty list when there are none yet", body = Vec<Experiment<'static>>))
)]
pub(super) async fn experiments(
    State(served): State<Arc<Served>>,
    caller: Caller,
    asked: HeaderMap,
) -> Result<Response, ApiError> {
    let (snapshot, private) = (served.snapshot(), caller.may_see_private());
    let tag = served.tag(&snapshot, private);
    if tag.is_known(&asked) {
        return Ok(tag.unchanged());
    }
    let shared = if private { &served.whole } else { &served.open };
    let answer = shared
        .answer(&asked, &snapshot, |snapshot| {
            rendered(&experiment::Experiments { snapshot, private })
        })
        .await?;
    Ok(tag.on(answer))
}

/// What happened to an experiment, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/experiments/events/{name}",
    tag = "experiments",
    params(("name" = String, Path, description = "The experiment's `topic_name`", example = "pend00")),
    responses(
        (status = 200, description = "Its latest events, oldest first", body = Vec<Event<'static>>),
        (status = 404, description = "There is no such experiment", body = ApiError),
    )
)]
pub(super) async fn events(
    State(served): State<Arc<Served>>,
    name: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let Path(name) = name.map_err(|_| error::no_such_path(&uri))?;
    let snapshot = served.snapshot();
    let experiment = snapshot
        .experiment(&name)
        .ok_or_else(|| error::no_such_experiment(&name))?;
    let events: Vec<_> = experiment
        .events
        .iter()
        .map(|event| Event::new(event))
        .collect();
    answer(&events)
}

/// The OpenAPI document of these paths.
async fn document() -> Response {
    json(Bytes::from_static(DOCUMENT_JSON.as_bytes()))
}

/// The same document where the old program had it, two steps above: what is said relative to its place is so to the other one.
async fn document_above() -> Response {
    json(Bytes::from(DOCUMENT_JSON.replacen("\"../..\"", "\".\"", 1)))
}

/// An answer in JSON.
pub(super) fn answer(answer: &impl Serialize) -> Result<Response, ApiError> {
    rendered(answer).map(|body| json(body.into()))
}

pub(super) fn rendered(answer: &impl Serialize) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(answer).map_err(|fault| {
        tracing::error!(%fault, "an answer of the API cannot be written as JSON");
        error::internal()
    })
}

pub(super) fn json(body: Bytes) -> Response {
    (
        [(CONTENT_TYPE, HeaderValue::from_static("application/json"))],
        body,
    )
        .into_response()
}
