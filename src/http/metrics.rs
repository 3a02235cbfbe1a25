//! The metrics endpoint for Prometheus, and the counter of answers. The metrics themselves are not
//! known here: the service provides the functions that write and count.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};

use super::error;
use super::routes::{Routes, routes};
use crate::http::auth::Need;

/// Counts an answer: the route's path, if one matched, its status, and how long it took.
pub type Count = dyn Fn(Option<&str>, u16, Duration) + Send + Sync;

/// The source of the metrics, and the counter of answers.
#[derive(Clone)]
pub struct MetricsEndpoint {
    /// The content type of the text.
    pub content_type: &'static str,
    /// The text of all metrics as they are now; `None` when it cannot be written.
    pub text: Arc<dyn Fn() -> Option<String> + Send + Sync>,
    /// Counts answers.
    pub count: Arc<Count>,
}

/// The paths of the metrics: Prometheus' usual one, and cn-infra's.
pub(super) fn routes() -> Routes<MetricsEndpoint> {
    Routes::needing(Need::Always)
        .add(routes!(text))
        .add(routes!(text_too))
}

/// The metrics for Prometheus, by cn-infra's path.
#[utoipa::path(get, path = "/health", operation_id = "metrics_too", tag = "health", responses((status = 200, description = "As `/metrics`", body = String, content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8")))]
pub(super) async fn text_too(metrics: State<MetricsEndpoint>) -> Response {
    text(metrics).await
}

/// Counts every answer of these routes.
pub(super) fn counted(routes: Router, metrics: MetricsEndpoint) -> Router {
    routes.layer(from_fn_with_state(metrics, count))
}

/// The metrics for Prometheus.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "health", responses((status = 200, description = "In the OpenMetrics text format", body = String, content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8")))]
pub(super) async fn text(State(metrics): State<MetricsEndpoint>) -> Response {
    let Some(text) = (metrics.text)() else {
        tracing::error!("cannot write the metrics for Prometheus");
        return error::internal().into_response();
    };
    ([(CONTENT_TYPE, metrics.content_type)], text).into_response()
}

async fn count(State(metrics): State<MetricsEndpoint>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let begun = Instant::now();
    let response = next.run(request).await;
    (metrics.count)(
        route.as_ref().map(MatchedPath::as_str),
        response.status().as_u16(),
        begun.elapsed(),
    );
    response
}
