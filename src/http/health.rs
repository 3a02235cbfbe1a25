//! The health endpoints, in the dialects of four other systems. `health` makes the answers; here
//! they become HTTP.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, RawQuery, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use url::form_urlencoded;

use super::error::{self, ApiError, ApiResult, Reason};
use super::health_state::HealthRoutes;
use super::middleware::OwnErrorText;
use super::named::Named;
use super::routes::{Routes, routes};
use crate::health::dialects::{self, Answer, Query, Reader, Refused, forms};
use crate::health::{HealthSnapshot, LevelRefused, Levels, parse_set_level, targets_of};
use crate::http::auth::{Caller, Need, Scope, Viewer};

/// The categories that are meant, and whether everything is checked first.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it documents what `Query` reads")]
struct CategoriesAsked {
    /// Names of categories, separated by commas; without them `default`, which holds everything.
    #[param(example = "default")]
    categories: Option<String>,
    /// `false`: everything is checked before the answer, within a limit on the frequency.
    cache: Option<bool>,
}

/// A level of the log to set.
#[derive(utoipa::ToSchema)]
#[schema(as = SetLevel)]
#[expect(dead_code, reason = "it documents what `parse_set_level` reads")]
pub(super) struct SetLevelBody {
    /// Of which component: `GET` lists them.
    #[schema(example = "relay")]
    component: String,
    /// `off`, `error`, `warn`, `info`, `debug` or `trace`.
    #[schema(example = "debug")]
    level: String,
}

/// The snapshot of the last results, as its reader may see it.
pub(super) struct Seen(HealthSnapshot);

impl FromRequestParts<HealthRoutes> for Seen {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &HealthRoutes,
    ) -> Result<Self, Infallible> {
        let Viewer(viewer) = Viewer::from_request_parts(parts, state).await?;
        Ok(Self(state.health_state.snapshot().seen_by(viewer)))
    }
}

/// All routes.
pub(super) fn routes(state: &HealthRoutes) -> Routes {
    let levels = state.levels.clone();
    let routes = documented().with_state(state);
    levels.into_iter().fold(routes, |routes, levels| {
        routes
            .merge(log().with_state(state))
            .merge(changing().with_state(&levels))
    })
}

/// The routes that read.
pub(super) fn documented() -> Routes<HealthRoutes> {
    let always = Routes::needing(Need::Always)
        .add(routes!(liveness))
        .add(routes!(readiness))
        .add(routes!(actuator))
        .add(routes!(actuator_health))
        .add(routes!(actuator_health_of))
        .add(routes!(gtg));
    Routes::needing(Need::Read)
        .add(routes!(info))
        .add(routes!(added))
        .add(routes!(health))
        .add(routes!(agg_health))
        .add(routes!(status))
        .add(routes!(status_of))
        .merge(always)
}

/// The route that shows the levels of the log.
pub(super) fn log() -> Routes<HealthRoutes> {
    Routes::needing(Need::Read).add(routes!(logger))
}

/// The route that sets a level of the log.
pub(super) fn changing() -> Routes<Arc<dyn Levels>> {
    Routes::needing(Need::Scope(Scope::Admin)).add(routes!(set_level))
}

/// Whether the process must be restarted (cn-infra's form): it depends on the loop and the store,
/// never on the laboratory.
#[utoipa::path(get, path = "/liveness", tag = "health", responses(
    (status = 200, description = "It is alive: `state` is 1 (ok), or 0 (init)", body = forms::Status),
    (status = 503, description = "It is not: `state` is 2, and `PluginStatus` says which part fails", body = forms::Status),
))]
pub(super) async fn liveness(Seen(health): Seen) -> ApiResult {
    answered(dialects::liveness(&health))
}

/// Whether labwatch can do its work (cn-infra's form): every component whose failure counts is
/// well. Experiments are listed with their streams.
#[utoipa::path(get, path = "/readiness", tag = "health", params(("full" = Option<bool>, Query, description = "List all experiments, not only those that fail")), responses(
    (status = 200, description = "It is ready", body = forms::Status),
    (status = 503, description = "It is not, in the same form", body = forms::Status),
))]
pub(super) async fn readiness(Seen(health): Seen, RawQuery(query): RawQuery) -> ApiResult {
    answered(dialects::readiness(&health, &asked(query)?))
}

/// The endpoints of the actuator.
#[utoipa::path(get, path = "/actuator", tag = "health", responses(
    (status = 200, description = "Each with its path", body = forms::Endpoints),
))]
pub(super) async fn actuator(State(state): State<HealthRoutes>) -> ApiResult {
    answered(dialects::actuator(state.levels.is_some(), &state.endpoints))
}

/// An endpoint that a program that embeds labwatch adds to the actuator.
#[utoipa::path(get, path = "/actuator/{name}", tag = "health", operation_id = "actuator_endpoint", params(("name" = String, Path, description = "The endpoint, as `/actuator` lists it", example = "motd")), responses(
    (status = 200, description = "The answer of the endpoint", body = forms::Added),
    (status = 503, description = "It has no answer: `error` says why", body = forms::Added),
))]
pub(super) async fn added(
    State(state): State<HealthRoutes>,
    Named(name): Named<String>,
    uri: Uri,
) -> ApiResult {
    let mut endpoints = state.endpoints.iter();
    let endpoint = endpoints
        .find(|endpoint| endpoint.name == name)
        .ok_or_else(|| error::no_such_path(&uri))?;
    answered(dialects::of_endpoint(
        endpoint,
        &state.health_state.snapshot(),
    ))
}

/// Health by kind (Layotto's form): UP, INIT or DOWN of every component.
#[utoipa::path(get, path = "/actuator/health/{kind}", tag = "health", params(("kind" = String, Path, description = "`liveness` or `readiness`", example = "readiness"), ("full" = Option<bool>, Query, description = "List all experiments, not only those that fail")), responses(
    (status = 200, description = "UP; of liveness also INIT", body = forms::Health),
    (status = 503, description = "DOWN; of readiness also INIT", body = forms::Health),
))]
pub(super) async fn actuator_health(
    Seen(health): Seen,
    Named(kind): Named<String>,
    RawQuery(query): RawQuery,
) -> ApiResult {
    answered(dialects::health(&health, &kind, &asked(query)?))
}

/// The health of one component or, by readiness, of one experiment with its streams.
#[utoipa::path(get, path = "/actuator/health/{kind}/{name}", tag = "health", params(("kind" = String, Path, description = "`liveness` or `readiness`", example = "readiness"), ("name" = String, Path, description = "A component or an experiment", example = "book")), responses(
    (status = 200, description = "UP; of liveness also INIT", body = forms::Indicator),
    (status = 503, description = "DOWN; of readiness also INIT", body = forms::Indicator),
))]
pub(super) async fn actuator_health_of(
    Seen(health): Seen,
    Named((kind, name)): Named<(String, String)>,
) -> ApiResult {
    answered(dialects::health_of(&health, &kind, &name))
}

/// Information about the running program, the laboratory in numbers, and the rules in force.
#[utoipa::path(get, path = "/actuator/info", tag = "health", responses(
    (status = 200, description = "A member that cannot be made shows its error", body = forms::Info),
))]
pub(super) async fn info(State(state): State<HealthRoutes>, caller: Caller) -> ApiResult {
    let health = state.health_state.snapshot().seen_by(caller.visibility());
    answered(dialects::info(
        &health,
        &state.contributors,
        reader(&caller),
    ))
}

/// The levels of the log.
#[utoipa::path(get, path = "/actuator/logger", tag = "health", responses(
    (status = 200, description = "By component, and by target where that is finer", body = forms::Logger),
))]
pub(super) async fn logger(State(state): State<HealthRoutes>, uri: Uri) -> ApiResult {
    let levels = state.levels.ok_or_else(|| error::no_such_path(&uri))?;
    answered(dialects::logger(&*levels))
}

/// Sets the level of a component of the log, until the next start.
#[utoipa::path(post, path = "/actuator/logger", tag = "health", request_body = SetLevelBody, responses(
    (status = 200, description = "It is set: the levels as they are now", body = forms::Logger),
))]
pub(super) async fn set_level(State(levels): State<Arc<dyn Levels>>, body: Bytes) -> ApiResult {
    let set = parse_set_level(&body).and_then(|asked| {
        let targets = targets_of(&asked.component).unwrap_or_default();
        levels
            .set(targets, &asked.level)
            .map_err(LevelRefused::Log)?;
        Ok(asked)
    });
    match set {
        Ok(asked) => {
            tracing::info!(
                component = asked.component,
                level = asked.level,
                "the level of the log was set"
            );
            answered(dialects::logger(&*levels))
        }
        Err(LevelRefused::Log(why)) => {
            tracing::error!(why, "the level of the log cannot be set");
            Err(error::internal())
        }
        Err(
            refused @ (LevelRefused::Form(_) | LevelRefused::Component(_) | LevelRefused::Level(_)),
        ) => Err(error::malformed(refused)),
    }
}

/// The health of categories (FT's form): 200 whether good or bad, the verdict is in `ok`. JSON
/// where it is asked for, else a page.
#[utoipa::path(get, path = "/__health", tag = "health", params(CategoriesAsked), responses(
    (status = 200, description = "One check for each experiment and component", content((forms::Document = "application/json"), (String = "text/html"))),
))]
pub(super) async fn health(
    State(state): State<HealthRoutes>,
    RawQuery(query): RawQuery,
    caller: Caller,
    headers: HeaderMap,
) -> ApiResult {
    let query = asked(query)?;
    let health = snapshot(&state, &query, &caller).await;
    let accepted: Vec<&str> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let wants_json = dialects::wants_json(&accepted.join(","));
    let reader = reader(&caller);
    answered(if wants_json {
        dialects::health_json(&health, &query, reader)
    } else {
        dialects::health_page(&health, &query, reader)
    })
}

/// The access of a caller.
fn reader(caller: &Caller) -> Reader {
    if caller.may(Scope::Admin) {
        Reader::Maintainer
    } else if caller.may_see_private() {
        Reader::Full
    } else {
        Reader::Public
    }
}

/// Whether the categories can be used now. Never has a body.
#[utoipa::path(get, path = "/__gtg", tag = "health", params(CategoriesAsked), responses(
    (status = 200, description = "They can"), (status = 400, description = "None of the categories exists"),
    (status = 503, description = "They cannot, or one of them is closed"),
))]
pub(super) async fn gtg(
    State(state): State<HealthRoutes>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> ApiResult {
    let query = asked(query)?;
    let health = snapshot(&state, &query, &caller).await;
    answered(Ok(dialects::gtg(&health, &query)))
}

/// Every single check of the categories: each stream, each jump connection, each component, each
/// self-test.
#[utoipa::path(get, path = "/__agghealth", tag = "health", params(CategoriesAsked), responses(
    (status = 200, description = "What cannot be reached is listed as failing", body = forms::Aggregate),
))]
pub(super) async fn agg_health(
    State(state): State<HealthRoutes>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> ApiResult {
    let query = asked(query)?;
    let health = snapshot(&state, &query, &caller).await;
    answered(dialects::agg_health(&health, &query))
}

/// OK or FAIL of every component and experiment (Axway's form). The components decide.
#[utoipa::path(get, path = "/status", tag = "health", responses(
    (status = 200, description = "OK", body = forms::OverallStatus),
    (status = 503, description = "FAIL, in the same form", body = forms::OverallStatus),
))]
pub(super) async fn status(Seen(health): Seen) -> ApiResult {
    answered(dialects::status(&health))
}

/// OK or FAIL of one component or experiment.
#[utoipa::path(get, path = "/status/{name}", tag = "health", params(("name" = String, Path, description = "Its endpoint, as `/status` lists it", example = "book")), responses(
    (status = 200, description = "OK", body = forms::CheckStatus), (status = 503, description = "FAIL", body = forms::CheckStatus),
))]
pub(super) async fn status_of(Seen(health): Seen, Named(name): Named<String>) -> ApiResult {
    answered(dialects::status_of(&health, &name))
}

/// The snapshot of the last results; or, for readers with a token who request it, after everything
/// was checked. Others could have book polled without end.
async fn snapshot(state: &HealthRoutes, query: &Query, caller: &Caller) -> HealthSnapshot {
    let health = if query.fresh && caller.may(Scope::Read) {
        state.refresher.snapshot().await
    } else {
        state.health_state.snapshot()
    };
    health.seen_by(caller.visibility())
}

/// Parses the query. Unknown parameters are ignored, because probes add some of their own.
fn asked(query: Option<String>) -> ApiResult<Query> {
    let text = query.unwrap_or_default();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        if ["cache", "full"].contains(&&*name) && !["true", "false"].contains(&&*value) {
            return Err(ApiError::new(
                Reason::InvalidParameter,
                format!("{name}={value:?} is not understood; allowed: true, false"),
            ));
        }
    }
    Ok(Query::parse(&text))
}

fn answered(answer: Result<Answer, Refused>) -> ApiResult {
    match answer {
        Ok(answer) => Ok(response(answer)),
        Err(Refused::Unknown(what)) => Err(ApiError::new(Reason::NotFound, what)),
        Err(Refused::Senseless(why)) => Err(error::malformed(why)),
        Err(fault @ Refused::Unwritable(_)) => {
            tracing::error!(%fault, "a health view cannot be written");
            Err(error::internal())
        }
    }
}

fn response(answer: Answer) -> Response {
    let mut response = Body::from(answer.body).into_response();
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.extensions_mut().insert(OwnErrorText);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(content_type) = answer.content_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    for (name, value) in answer.headers {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    response
}
