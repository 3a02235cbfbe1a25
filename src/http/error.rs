//! The API's errors: the only place that chooses a status code for one, and its words. An answer never tells inner details; the log does.

use std::fmt::Display;
use std::time::Duration;

use axum::http::header::{ALLOW, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::auth::{Refusal, Scope};

/// What is asked for where something is refused.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"labwatch\"");

/// After how many seconds to try again what there is no answer to now.
const RETRY_UNAVAILABLE: u32 = 5;

/// What every error answer holds.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Error)]
pub(super) struct ApiError {
    /// The HTTP status.
    #[schema(example = 404)]
    code: u16,
    /// What is wrong.
    #[schema(example = "path / was not found")]
    message: String,
    /// The id of the request, as in the header `X-Request-Id` and in the log.
    #[schema(example = "9f86d081884c7d65")]
    request_id: String,
    /// A header that goes with it.
    #[serde(skip)]
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

/// 404: there is no such path.
pub(super) fn no_such_path(uri: &Uri) -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        format!("path {} was not found", uri.path()),
    )
}

/// 404: everything is below another path.
pub(super) fn outside(uri: &Uri, prefix: &str) -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        format!(
            "path {} was not found: every path here begins with {prefix}/",
            uri.path()
        ),
    )
}

/// 404: there is no such experiment.
pub(super) fn no_such_experiment(name: &str) -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        format!("experiment {name} was not found"),
    )
}

/// 404: there is nothing of this name.
pub(super) fn unknown(what: String) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, what)
}

/// 405: the path takes other methods.
pub(super) fn wrong_method(method: &Method, allowed: &[Method]) -> ApiError {
    let words: Vec<_> = allowed.iter().map(Method::as_str).collect();
    let message = format!(
        "method {method} is not allowed, but [{}] are",
        words.join(", ")
    );
    let allow: Vec<_> = words
        .iter()
        .map(|as_str| if *as_str == "GET" { "GET,HEAD" } else { as_str })
        .collect();
    let error = ApiError::new(StatusCode::METHOD_NOT_ALLOWED, message);
    match HeaderValue::from_str(&allow.join(",")) {
        Ok(allow) => error.with(ALLOW, allow),
        Err(_) => error,
    }
}

/// 401: a token is needed.
pub(super) fn token_needed(scope: Scope) -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        format!("a token with the scope {scope} is needed"),
    )
    .with(WWW_AUTHENTICATE, CHALLENGE)
}

/// 401: the token is not good.
pub(super) fn refused(why: Refusal) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, why.to_string()).with(WWW_AUTHENTICATE, CHALLENGE)
}

/// 403: the token does not allow it.
pub(super) fn scope_missing(scope: Scope) -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        format!("the token does not have the scope {scope}"),
    )
}

/// 403: another site made the browser send it, or may have.
pub(super) fn other_site() -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "this came from another site or an outdated page: open the page again, and try again"
            .to_owned(),
    )
}

/// 429: there were too many failures.
pub(super) fn too_many_failures(wait: Duration) -> ApiError {
    let seconds = wait.as_secs().saturating_add(1);
    ApiError::new(
        StatusCode::TOO_MANY_REQUESTS,
        format!("too many tokens were refused: wait for {seconds} seconds"),
    )
    .with(RETRY_AFTER, HeaderValue::from(seconds))
}

/// 400: the request makes no sense.
pub(super) fn malformed(why: impl Display) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, why.to_string())
}

/// 400: the request names no host, or several.
pub(super) fn bad_host() -> ApiError {
    malformed("a request names one host in its header Host")
}

/// 421: the request is for another host.
pub(super) fn other_host() -> ApiError {
    ApiError::new(
        StatusCode::MISDIRECTED_REQUEST,
        "this labwatch is not reached by that name: set STATUS_API_URL to the address that browsers use".to_owned(),
    )
}

/// 409: it cannot be done as things are.
pub(super) fn conflict(why: impl Display) -> ApiError {
    ApiError::new(StatusCode::CONFLICT, why.to_string())
}

/// 403: the token names other things to report on.
pub(super) fn not_named(name: &str) -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        format!(
            "the token does not name {name} among what it may report on: make one with labwatch token --scope report --of {name}"
        ),
    )
}

/// 429: a token reports too often.
pub(super) fn too_many_reports(wait: Duration) -> ApiError {
    let seconds = wait.as_secs().saturating_add(1);
    ApiError::new(
        StatusCode::TOO_MANY_REQUESTS,
        format!("this token reports too often: wait for {seconds} seconds"),
    )
    .with(RETRY_AFTER, HeaderValue::from(seconds))
}

/// 413: the body is too long.
pub(super) fn too_long(most: usize) -> ApiError {
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("the body is longer than {most} bytes"),
    )
}

/// 415: the body is not marked as JSON.
pub(super) fn no_json() -> ApiError {
    ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "write the body in JSON, and send it with the header Content-Type: application/json"
            .to_owned(),
    )
}

/// 503: it took too long.
pub(super) fn too_slow() -> ApiError {
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "the answer took too long: try again later".to_owned(),
    )
    .with(RETRY_AFTER, HeaderValue::from(RETRY_UNAVAILABLE))
}

/// 404: labwatch keeps no history.
pub(super) fn no_history() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "labwatch keeps no history: set STATUS_DATA_DIR to a folder that it may write into"
            .to_owned(),
    )
}

/// 503: there is an answer, but not now.
pub(super) fn unavailable(why: impl Display) -> ApiError {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, why.to_string())
        .with(RETRY_AFTER, HeaderValue::from(RETRY_UNAVAILABLE))
}

/// 500: our own fault, which the log tells.
pub(super) fn internal() -> ApiError {
    ApiError::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "labwatch made a mistake; its log says which".to_owned(),
    )
}

/// For an error that a library answers with: its status, in words that tell nothing else.
pub(super) fn of_status(status: StatusCode) -> ApiError {
    ApiError::new(
        status,
        status
            .canonical_reason()
            .unwrap_or("this cannot be answered")
            .to_lowercase(),
    )
}

impl ApiError {
    fn new(status: StatusCode, message: String) -> Self {
        Self {
            code: status.as_u16(),
            message,
            request_id: String::new(),
            header: None,
        }
    }

    fn with(self, name: HeaderName, value: HeaderValue) -> Self {
        Self {
            header: Some(Box::new((name, value))),
            ..self
        }
    }

    /// The same, of this request.
    pub(super) fn of_request(self, id: &str) -> Self {
        Self {
            request_id: id.to_owned(),
            ..self
        }
    }

    /// Whether the request is to blame.
    pub(super) fn is_bad_request(&self) -> bool {
        self.code == StatusCode::BAD_REQUEST.as_u16()
    }

    /// What is wrong.
    pub(super) fn message(&self) -> &str {
        &self.message
    }
}

impl IntoResponse for ApiError {
    /// The status, with the error beside it: the body is written where the id of the request is known.
    fn into_response(mut self) -> Response {
        let status = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        if let Some(header) = self.header.take() {
            response.headers_mut().insert(header.0, header.1);
        }
        response.extensions_mut().insert(self);
        response
    }
}
