//! The API's errors: the only place that chooses their statuses and texts. An answer never shows
//! inner details; the log does.
//!
//! Version 1 keeps the form of the old program. Everything else answers problem details (RFC 9457)
//! with a reason that never changes, so that programs need not parse the text.

use std::fmt::Display;
use std::time::Duration;

use axum::http::header::{HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::middleware::MAX_BODY_BYTES;
pub(super) use super::reason::Reason;
use crate::http::auth::{Refusal, Scope};

/// The authentication that a refusal asks for.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"labwatch\"");

/// The prefix of the type of a problem; its reason follows.
const TYPE: &str = "urn:labwatch:problem:";

/// The media type of problem details.
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// When to try again where nothing better is known, in seconds.
const RETRY_SECONDS: u64 = 5;

/// The paths that answer errors in the form of the old program.
const OLD_PATHS: [&str; 2] = ["/api/v1/", "/swagger.json"];

/// An error, before the request that it answers is known.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    reason: Reason,
    detail: String,
    /// Boxed, so that results with this error stay small.
    headers: Box<HeaderMap>,
}

/// What a handler answers with, or why not.
pub(super) type ApiResult<T = Response> = Result<T, ApiError>;

/// Why a request was refused, as problem details (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// The kind of problem: `urn:labwatch:problem:` and the reason.
    #[serde(rename = "type")]
    #[schema(example = "urn:labwatch:problem:unknown-experiment")]
    kind: String,
    /// The kind of problem as text.
    #[schema(example = "There is no such experiment")]
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 404)]
    status: u16,
    /// What is wrong in this case, and what to do.
    #[schema(example = "experiment pend77 was not found")]
    detail: String,
    /// The kind of problem, for programs.
    reason: Reason,
    /// The id of the request, as in the header `X-Request-Id` and in the log.
    #[schema(example = "9f86d081884c7d65")]
    request_id: String,
}

/// An error of version 1.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub(super) struct OldError {
    /// The HTTP status.
    #[schema(example = 404)]
    code: u16,
    /// What is wrong.
    #[schema(example = "path / was not found")]
    message: String,
    /// The id of the request, as in the header `X-Request-Id` and in the log.
    #[schema(example = "9f86d081884c7d65")]
    request_id: String,
}

/// Whether errors of this path have the form of the old program.
pub(super) fn is_old(path: &str) -> bool {
    OLD_PATHS.iter().any(|old| path.starts_with(old))
}

/// 404: there is no such path.
pub(super) fn no_such_path(uri: &Uri) -> ApiError {
    ApiError::new(
        Reason::UnknownPath,
        format!("path {} was not found", uri.path()),
    )
}

/// 404: everything is below another path.
pub(super) fn outside(uri: &Uri, prefix: &str) -> ApiError {
    ApiError::new(
        Reason::UnknownPath,
        format!(
            "path {} was not found: every path here begins with {prefix}/",
            uri.path()
        ),
    )
}

/// 404: there is no such experiment.
pub(super) fn no_such_experiment(name: &str) -> ApiError {
    ApiError::new(
        Reason::UnknownExperiment,
        format!("experiment {name} was not found"),
    )
}

/// 405: the path takes other methods, as `allow` lists them.
pub(super) fn wrong_method(method: &Method, allow: &str) -> ApiError {
    let implied = ["HEAD", "OPTIONS"];
    let allowed: Vec<_> = allow
        .split(',')
        .filter(|known| !implied.contains(known))
        .collect();
    ApiError::new(
        Reason::MethodNotAllowed,
        format!(
            "method {method} is not allowed, but [{}] are",
            allowed.join(", ")
        ),
    )
}

/// 401: a token is needed.
pub(super) fn token_needed(scope: Scope) -> ApiError {
    ApiError::new(
        Reason::TokenNeeded,
        format!("a token with the scope {scope} is needed"),
    )
    .with(WWW_AUTHENTICATE, CHALLENGE)
}

/// 401: the token is not valid.
pub(super) fn refused(why: Refusal) -> ApiError {
    ApiError::new(Reason::TokenRefused, why.to_string()).with(WWW_AUTHENTICATE, CHALLENGE)
}

/// 403: the token does not allow it.
pub(super) fn scope_missing(scope: Scope) -> ApiError {
    ApiError::new(
        Reason::ScopeMissing,
        format!("the token does not have the scope {scope}"),
    )
}

/// 429: there were too many failures.
pub(super) fn too_many_failures(wait: Duration) -> ApiError {
    not_before(
        Reason::TooManyFailures,
        "too many tokens were refused",
        wait,
    )
}

fn not_before(reason: Reason, words: &str, wait: Duration) -> ApiError {
    let seconds = wait.as_secs().saturating_add(1);
    ApiError::new(reason, format!("{words}: wait for {seconds} seconds"))
        .with(RETRY_AFTER, HeaderValue::from(seconds))
}

/// 400: the request makes no sense, and there is no closer reason.
pub(super) fn malformed(why: impl Display) -> ApiError {
    ApiError::new(Reason::BadRequest, why)
}

/// 403: the token may report on other experiments or components only.
pub(super) fn not_named(name: &str) -> ApiError {
    ApiError::new(
        Reason::NotNamed,
        format!(
            "the token does not name {name} among what it may report on: make one with labwatch token --scope report --of {name}"
        ),
    )
}

/// 429: a token reports too often.
pub(super) fn too_many_reports(wait: Duration) -> ApiError {
    not_before(Reason::TooManyReports, "this token reports too often", wait)
}

/// 413: the body is too long.
pub(super) fn too_long() -> ApiError {
    ApiError::new(
        Reason::BodyTooLong,
        format!("the body is longer than {MAX_BODY_BYTES} bytes"),
    )
}

/// 503: there is no answer at present.
pub(super) fn unavailable(why: impl Display) -> ApiError {
    ApiError::new(Reason::Unavailable, why)
}

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $reason:ident, $words:literal;)*) => {$(
        $(#[$doc])*
        pub(super) fn $name() -> ApiError {
            ApiError::new(Reason::$reason, $words)
        }
    )*};
}

errors! {
    /// 403: another site made the browser send it, or may have.
    other_site = OtherSite, "this came from another site or an outdated page: open the page again, and try again";
    /// 400: the request names no host, or several.
    bad_host = InvalidHost, "a request names one host in its header Host";
    /// 421: the request is for another host.
    other_host = OtherHost, "this labwatch is not reached by that name: set STATUS_API_URL to the address that browsers use";
    /// 503: too many long answers are being made.
    too_many_long = Busy, "too many long answers are being made: try again in a moment, or request a page of it";
    /// 415: the body is not marked as JSON.
    no_json = NotJson, "write the body in JSON, and send it with the header Content-Type: application/json";
    /// 503: it took too long.
    too_slow = TooSlow, "the answer took too long: try again later";
    /// 404: labwatch keeps no history.
    no_history = NoHistory, "labwatch keeps no history: set STATUS_DATA_DIR to a folder that it may write into";
    /// 500: an internal fault, which the log describes.
    internal = Internal, "internal error of labwatch: see its log";
}

/// An error for the status of a library's own answer, with a text that shows nothing else.
pub(super) fn of_status(status: StatusCode) -> ApiError {
    let reason = match status {
        StatusCode::UNAUTHORIZED => Reason::TokenNeeded,
        StatusCode::FORBIDDEN => Reason::ScopeMissing,
        StatusCode::NOT_FOUND => Reason::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Reason::MethodNotAllowed,
        StatusCode::REQUEST_TIMEOUT => Reason::Timeout,
        StatusCode::PAYLOAD_TOO_LARGE => return too_long(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Reason::NotJson,
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Reason::HeadTooLong,
        StatusCode::TOO_MANY_REQUESTS => Reason::TooManyFailures,
        StatusCode::SERVICE_UNAVAILABLE => Reason::Unavailable,
        status if status.is_server_error() => Reason::Internal,
        _ => Reason::BadRequest,
    };
    let words = status.canonical_reason();
    ApiError::new(
        reason,
        words.unwrap_or("this cannot be answered").to_lowercase(),
    )
}

impl ApiError {
    /// An error for this reason. `detail` says what is wrong in this case, and what to do.
    pub(super) fn new(reason: Reason, detail: impl Display) -> Self {
        let mut headers = HeaderMap::new();
        if is_for_later(reason.status()) {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
        }
        Self {
            reason,
            detail: detail.to_string(),
            headers: Box::new(headers),
        }
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    pub(super) fn reason(&self) -> Reason {
        self.reason
    }

    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// The media type and the bytes of the answer to the request with this id.
    pub(super) fn written(self, is_old: bool, id: &str) -> (HeaderValue, Vec<u8>) {
        let status = self.reason.status().as_u16();
        let request_id = id.to_owned();
        let (kind, body) = if is_old {
            let error = OldError {
                code: status,
                message: self.detail,
                request_id,
            };
            (
                HeaderValue::from_static("application/json"),
                serde_json::to_vec(&error),
            )
        } else {
            let problem = Problem {
                kind: format!("{TYPE}{}", self.reason.word()),
                title: self.reason.title(),
                status,
                detail: self.detail,
                reason: self.reason,
                request_id,
            };
            (PROBLEM_JSON, serde_json::to_vec(&problem))
        };
        (kind, body.unwrap_or_default())
    }
}

/// Whether an answer with this status gets `Retry-After`.
fn is_for_later(status: StatusCode) -> bool {
    [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
    ]
    .contains(&status)
}

/// Adds `Retry-After` to an answer that needs it and has none.
pub(super) fn say_when(status: StatusCode, headers: &mut HeaderMap) {
    if is_for_later(status) && !headers.contains_key(RETRY_AFTER) {
        headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
    }
}

impl IntoResponse for ApiError {
    /// The status, with the error as an extension: the body is written where the request is known.
    fn into_response(self) -> Response {
        let mut response = self.reason.status().into_response();
        response.headers_mut().extend((*self.headers).clone());
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_too_long_is_refused_with_our_text() {
        let refused = of_status(StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(refused.detail(), "the body is longer than 65536 bytes");
    }

    #[test]
    fn every_reason_has_a_word_a_title_and_a_status_of_an_error() {
        let mut words: Vec<_> = Reason::ALL.iter().map(|reason| reason.word()).collect();
        assert!(words.iter().all(|word| !word.is_empty()));
        words.sort();
        words.dedup();
        assert_eq!(words.len(), Reason::ALL.len(), "no two have one word");
        for reason in Reason::ALL {
            let status = reason.status();
            assert!(
                status.is_client_error() || status.is_server_error(),
                "{reason:?}"
            );
            assert!(!reason.title().ends_with('.'), "{reason:?}");
            let answer = ApiError::new(*reason, "x").into_response();
            assert_eq!(
                answer.headers().contains_key(RETRY_AFTER),
                [429, 503].contains(&status.as_u16()),
                "{reason:?}"
            );
        }
    }
}
