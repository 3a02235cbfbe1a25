//! Answers in JSON.

use axum::body::Bytes;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::error::{self, ApiResult};

/// An answer in JSON.
pub(super) fn answer(answer: &impl Serialize) -> ApiResult {
    rendered(answer).map(|body| json(body.into()))
}

pub(super) fn rendered(answer: &impl Serialize) -> ApiResult<Vec<u8>> {
    serde_json::to_vec(answer).map_err(|fault| {
        tracing::error!(%fault, "cannot write an answer of the API as JSON");
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
