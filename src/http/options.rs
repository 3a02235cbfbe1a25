//! What a path is asked by another method than those that it takes: `OPTIONS` lists them, any other method is refused with the list.

use axum::extract::Request;
use axum::http::header::ALLOW;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error;

/// Gives the router's own refusal of a method its form. The router lists what the path takes in `Allow`.
pub(super) async fn answer(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let response = next.run(request).await;
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let allow = response.headers().get(ALLOW);
    let allow = allow
        .and_then(|allow| allow.to_str().ok())
        .unwrap_or_default();
    let allow = format!("{allow},OPTIONS");
    let mut response = if method == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        error::wrong_method(&method, &allow).into_response()
    };
    if let Ok(allow) = HeaderValue::from_str(&allow) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}
