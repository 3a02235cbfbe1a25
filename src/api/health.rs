//! The paths of the service's own health, in the dialects of four other systems. What an answer says is the business of the health room;
//! here it only becomes HTTP.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::error::{self, ApiError};
use super::manners::OwnWords;
use crate::health::views::{self, Answer, Contributor, Query, Refused};
use crate::health::{Desk, LevelRefused, Levels, Picture, Refresher, parse_set_level, targets_of};

/// What the paths of health answer from.
#[derive(Clone)]
pub struct HealthState {
    /// Gives pictures.
    pub desk: Desk,
    /// Gives pictures for which everything was checked.
    pub refresher: Arc<Refresher>,
    /// Who contributes to `/actuator/info`.
    pub contributors: Arc<[Contributor]>,
    /// The levels of the log; without them there is no `/actuator/logger`.
    pub levels: Option<Arc<dyn Levels>>,
}

impl std::fmt::Debug for HealthState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HealthState")
    }
}

/// All paths.
pub(super) fn routes(state: HealthState) -> Router {
    let mut routes = Router::new()
        .route("/liveness", get(liveness))
        .route("/readiness", get(readiness))
        .route("/actuator", get(actuator))
        .route("/actuator/health/{kind}", get(actuator_health))
        .route("/actuator/health/{kind}/{name}", get(actuator_health_of))
        .route("/actuator/info", get(info))
        .route("/__health", get(health))
        .route("/__gtg", get(gtg))
        .route("/__agghealth", get(agg_health))
        .route("/status", get(status))
        .route("/status/{name}", get(status_of));
    if let Some(levels) = &state.levels {
        let set = post(set_level).with_state(Arc::clone(levels));
        routes = routes.route("/actuator/logger", get(logger).merge(set));
    }
    routes.with_state(state)
}

async fn liveness(State(state): State<HealthState>) -> Result<Response, ApiError> {
    answered(views::liveness(&state.desk.picture()))
}

async fn readiness(State(state): State<HealthState>, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    answered(views::readiness(&state.desk.picture(), &asked(query)))
}

async fn actuator() -> Result<Response, ApiError> {
    answered(views::actuator())
}

async fn actuator_health(
    State(state): State<HealthState>,
    kind: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    uri: Uri,
) -> Result<Response, ApiError> {
    let Path(kind) = kind.map_err(|_| error::no_such_path(&uri))?;
    answered(views::health(&state.desk.picture(), &kind, &asked(query)))
}

async fn actuator_health_of(
    State(state): State<HealthState>,
    path: Result<Path<(String, String)>, PathRejection>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let Path((kind, name)) = path.map_err(|_| error::no_such_path(&uri))?;
    answered(views::health_of(&state.desk.picture(), &kind, &name))
}

async fn info(State(state): State<HealthState>) -> Result<Response, ApiError> {
    answered(views::info(&state.desk.picture(), &state.contributors))
}

async fn logger(State(state): State<HealthState>, uri: Uri) -> Result<Response, ApiError> {
    let levels = state.levels.ok_or_else(|| error::no_such_path(&uri))?;
    answered(views::logger(&*levels))
}

async fn set_level(State(levels): State<Arc<dyn Levels>>, body: Bytes) -> Result<Response, ApiError> {
    let set = parse_set_level(&body).and_then(|asked| {
        let targets = targets_of(&asked.component).unwrap_or_default();
        levels.set(targets, &asked.level).map_err(LevelRefused::Log)?;
        Ok(asked)
    });
    match set {
        Ok(asked) => {
            tracing::info!(component = asked.component, level = asked.level, "the level of the log was set");
            answered(views::logger(&*levels))
        }
        Err(LevelRefused::Log(why)) => {
            tracing::error!(why, "the level of the log cannot be set");
            Err(error::internal())
        }
        Err(refused @ (LevelRefused::Form(_) | LevelRefused::Component(_) | LevelRefused::Level(_))) => Err(error::malformed(refused)),
    }
}

async fn health(State(state): State<HealthState>, RawQuery(query): RawQuery, headers: HeaderMap) -> Result<Response, ApiError> {
    let query = asked(query);
    let picture = picture(&state, &query).await;
    let accepted: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let wants_json = views::wants_json(&accepted.join(","));
    answered(if wants_json { views::health_json(&picture, &query) } else { views::health_page(&picture, &query) })
}

async fn gtg(State(state): State<HealthState>, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let query = asked(query);
    answered(Ok(views::gtg(&picture(&state, &query).await, &query)))
}

async fn agg_health(State(state): State<HealthState>, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let query = asked(query);
    answered(views::agg_health(&picture(&state, &query).await, &query))
}

async fn status(State(state): State<HealthState>) -> Result<Response, ApiError> {
    answered(views::status(&state.desk.picture()))
}

async fn status_of(State(state): State<HealthState>, name: Result<Path<String>, PathRejection>, uri: Uri) -> Result<Response, ApiError> {
    let Path(name) = name.map_err(|_| error::no_such_path(&uri))?;
    answered(views::status_of(&state.desk.picture(), &name))
}

/// The picture from the last results, or after everything was checked where that is asked for.
async fn picture(state: &HealthState, query: &Query) -> Picture {
    if query.fresh { state.refresher.picture().await } else { state.desk.picture() }
}

fn asked(query: Option<String>) -> Query {
    Query::parse(&query.unwrap_or_default())
}

fn answered(answer: Result<Answer, Refused>) -> Result<Response, ApiError> {
    match answer {
        Ok(answer) => Ok(response(answer)),
        Err(Refused::Unknown(what)) => Err(error::unknown(what)),
        Err(Refused::Senseless(why)) => Err(error::malformed(why)),
        Err(fault @ Refused::Unwritable(_)) => {
            tracing::error!(%fault, "a health view cannot be written");
            Err(error::internal())
        }
    }
}

fn response(answer: Answer) -> Response {
    let mut response = Body::from(answer.body).into_response();
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.extensions_mut().insert(OwnWords);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(content_type) = answer.content_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    for (name, value) in answer.headers {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}
