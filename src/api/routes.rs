//! The paths of version 1, and what every answer has in common: JSON, CORS for the old web page, no caching, and a panic that ends nothing.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;

use super::document::DOCUMENT_JSON;
use super::error::{self, ApiError};
use super::event::Event;
use super::experiment::{self, Experiment};
use super::figures::{self, Figures};
use super::share::Shared;
use crate::engine::Snapshot;

/// What the API answers from.
#[derive(Debug, Clone)]
pub struct ApiState {
    /// The newest snapshot. There is always one; before the first report it is empty.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// The figures for Prometheus; without them there is no `/metrics`.
    pub figures: Option<Figures>,
}

/// All paths of version 1.
pub fn router(state: ApiState) -> Router {
    let served = Arc::new(Served { snapshots: state.snapshots, experiments: Shared::default() });
    let routes = Router::new()
        .route("/api/v1/experiments", get(experiments))
        .route("/api/v1/experiments/", get(experiments))
        .route("/api/v1/experiments/events/{name}", get(events))
        .route("/api/v1/openapi.json", get(document))
        .route("/swagger.json", get(document))
        .with_state(served);
    let Some(figures) = state.figures else { return dressed(routes) };
    dressed(figures::counted(routes.merge(figures::routes(figures.clone())), figures))
}

/// What the handlers share.
pub(super) struct Served {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    experiments: Shared,
}

impl Served {
    /// The newest snapshot. The channel is held only as long as it takes to count one more reader.
    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }
}

/// All experiments, sorted by name.
#[utoipa::path(
    get,
    path = "/api/v1/experiments",
    tag = "experiments",
    responses((status = 200, description = "All experiments; an empty list when there are none yet", body = Vec<Experiment<'static>>))
)]
pub(super) async fn experiments(State(served): State<Arc<Served>>) -> Result<Response, ApiError> {
    let snapshot = served.snapshot();
    let body = served.experiments.body(&snapshot, |snapshot| rendered(&experiment::Experiments(snapshot))).await?;
    Ok(json(body))
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
    let experiment = snapshot.experiment(&name).ok_or_else(|| error::no_such_experiment(&name))?;
    let events: Vec<_> = experiment.events.iter().map(|event| Event::new(event)).collect();
    rendered(&events).map(|body| json(body.into()))
}

/// The OpenAPI document of these paths.
async fn document() -> Response {
    json(Bytes::from_static(DOCUMENT_JSON.as_bytes()))
}

fn rendered(answer: &impl Serialize) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(answer).map_err(|fault| {
        tracing::error!(%fault, "an answer of the API cannot be written as JSON");
        error::internal()
    })
}

fn json(body: Bytes) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

/// Puts around the routes what every answer has in common.
fn dressed(routes: Router) -> Router {
    routes
        .fallback(|uri: Uri| async move { error::no_such_path(&uri) })
        .method_not_allowed_fallback(|method: Method| async move { error::wrong_method(&method) })
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(dress))
}

#[expect(clippy::needless_pass_by_value, reason = "the signature is the layer's")]
fn panicked(payload: Box<dyn Any + Send + 'static>) -> Response {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("it did not say why");
    tracing::error!(panic = text, "a handler of the API panicked; the reader got a 500, everything else goes on");
    error::internal().into_response()
}

/// Answers the browser's question whether the old web page may read here, and sets the headers of every answer.
async fn dress(request: Request, next: Next) -> Response {
    let asks = request.method() == Method::OPTIONS;
    let mut response = if asks { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if asks {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, OPTIONS"));
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*"));
    }
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::JoinSet;
    use tokio_util::sync::CancellationToken;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_answer_and_not_the_end() {
        let routes = Router::new().route("/boom", get(boom)).route("/", get(async || "fine"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("has an address");
        let mut server = JoinSet::new();
        server.spawn(super::super::serve(listener, dressed(routes), CancellationToken::new()));

        let mut stream = TcpStream::connect(address).await.expect("connects");
        let requests = "GET /boom HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(requests.as_bytes()).await.expect("sends");
        let mut answers = String::new();
        stream.read_to_string(&mut answers).await.expect("reads");
        assert!(answers.starts_with("HTTP/1.1 500"), "{answers}");
        assert!(answers.contains(r#"{"code":500,"message":"labwatch made a mistake; its log says which"}"#), "{answers}");
        assert!(!answers.contains("secret"), "{answers}");
        assert!(answers.ends_with("fine"), "the same connection goes on: {answers}");
    }

    async fn boom() {
        panic!("the secret inner life");
    }
}
