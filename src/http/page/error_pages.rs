//! HTML error pages for browsers, with the cause and what to do. A program gets the API's error
//! unchanged.

use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::layout;
use super::response::{framed, theme};
use crate::http::auth::layer::accepts_pages;
use crate::http::middleware;

/// The longest error that is parsed for its text, in bytes.
const MAX_ERROR_BYTES: usize = 4 << 10;

/// The parts of an API error that are shown.
#[derive(Debug, Default, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    detail: String,
}

/// Adds HTML error pages for browsers to all routes. `base` is the path below which browsers reach
/// the pages.
pub fn with_lost_page(all: Router, base: Arc<str>) -> Router {
    all.layer(from_fn_with_state(base, explain))
}

/// A page with one message.
pub(super) fn page(theme: Option<&'static str>, title: &str, words: &str) -> Markup {
    layout::bare(
        theme,
        title,
        &html! { p { (words) } p { a href="/" { "Go to the overview" } ", where you can search." } },
    )
}

async fn explain(State(base): State<Arc<str>>, request: Request, next: Next) -> Response {
    let person = !request.uri().path().starts_with("/api/") && accepts_pages(request.headers());
    let (theme, reads) = (
        theme(request.headers()),
        [Method::GET, Method::HEAD].contains(request.method()),
    );
    let response = next.run(request).await;
    let status = response.status();
    if !person || is_page(&response) || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    if status == StatusCode::NOT_FOUND {
        return (
            status,
            framed(&base, page(theme, "Not found", "There is no such page.")),
        )
            .into_response();
    }
    let body = response.into_body();
    let error: ErrorBody = to_bytes(body, MAX_ERROR_BYTES)
        .await
        .ok()
        .and_then(|body| serde_json::from_slice(&body).ok())
        .unwrap_or_default();
    (
        status,
        framed(&base, refusal(theme, status, &error.detail, reads)),
    )
        .into_response()
}

fn refusal(theme: Option<&'static str>, status: StatusCode, why: &str, reads: bool) -> Markup {
    let title = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "You may not do this",
        StatusCode::TOO_MANY_REQUESTS => "Too many failures",
        _ => "This cannot be answered",
    };
    let content = html! {
        p { (super::words::sentence(why)) @if !reads { " Nothing was changed." } }
        p {
            @if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) { a href="/login" { "Sign in" } " with a token that allows it, or " }
            a href="/" { "go to the overview" } "."
        }
    };
    layout::bare(theme, title, &content)
}

fn is_page(response: &Response) -> bool {
    let headers = response.headers();
    headers.contains_key(CONTENT_SECURITY_POLICY) && middleware::is_page(headers)
}
