//! The API's errors: the only place that chooses a status code for one, and its words. An answer never tells inner details; the log does.

use axum::Json;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// What every error answer holds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub(super) struct ApiError {
    /// The HTTP status.
    #[schema(example = 404)]
    code: u16,
    /// What is wrong.
    #[schema(example = "path / was not found")]
    message: String,
}

/// 404: there is no such path.
pub(super) fn no_such_path(uri: &Uri) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, format!("path {} was not found", uri.path()))
}

/// 404: there is no such experiment.
pub(super) fn no_such_experiment(name: &str) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, format!("experiment {name} was not found"))
}

/// 404: there is nothing of this kind with this name.
pub(super) fn no_such(kind: &str, name: &str) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, format!("{kind} {name} was not found"))
}

/// 404: labwatch keeps no history.
pub(super) fn no_history() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "labwatch keeps no history: set STATUS_DATA_DIR to a folder that it may write into".to_owned())
}

/// 400: the request says something that is not understood. The words say what would be.
pub(super) fn bad_request(message: String) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, message)
}

/// 503: there is an answer, but not now.
pub(super) fn unavailable(message: &str) -> ApiError {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, message.to_owned())
}

/// 405: everything here is only read.
pub(super) fn wrong_method(method: &Method) -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, format!("method {method} is not allowed, but [GET] are"))
}

/// 500: our own fault, which the log tells.
pub(super) fn internal() -> ApiError {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "labwatch made a mistake; its log says which".to_owned())
}

impl ApiError {
    fn new(status: StatusCode, message: String) -> Self {
        Self { code: status.as_u16(), message }
    }

    /// Whether the request is to blame.
    pub(super) fn is_bad_request(&self) -> bool {
        self.code == StatusCode::BAD_REQUEST.as_u16()
    }

    #[cfg(test)]
    pub(super) fn message(&self) -> &str {
        &self.message
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self)).into_response()
    }
}
