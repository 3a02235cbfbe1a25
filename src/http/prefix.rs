//! Serves below a path prefix, for a proxy that passes paths on unchanged: the prefix is removed
//! before routing, and no other path exists.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::LOCATION;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};

use super::{error, middleware};

/// Nests everything below `prefix`, which begins with a slash and does not end with one; an empty
/// one changes nothing.
pub fn below(prefix: &str, all: Router) -> Router {
    if prefix.is_empty() {
        return all;
    }
    Router::new()
        .fallback_service(all)
        .layer(from_fn_with_state(Arc::<str>::from(prefix), take_off))
}

async fn take_off(State(prefix): State<Arc<str>>, mut request: Request, next: Next) -> Response {
    match inside(&prefix, request.uri()) {
        Some(uri) => {
            *request.uri_mut() = uri;
            next.run(request).await
        }
        None if request.uri().path() == &*prefix => {
            middleware::with_common_headers(&request, with_slash(&prefix, request.uri()))
        }
        None => middleware::with_common_headers(
            &request,
            error::outside(request.uri(), &prefix).into_response(),
        ),
    }
}

/// The address without the prefix, if it lies below it.
fn inside(prefix: &str, uri: &Uri) -> Option<Uri> {
    let rest = uri
        .path_and_query()?
        .as_str()
        .strip_prefix(prefix)
        .filter(|rest| rest.starts_with('/'))?;
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(rest).ok()?);
    Uri::from_parts(parts).ok()
}

/// Redirects a path without the slash to the start. The address is relative, so that it is right
/// behind any proxy.
fn with_slash(prefix: &str, uri: &Uri) -> Response {
    let last = prefix.rsplit('/').next().unwrap_or_default();
    let query = uri
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    match HeaderValue::from_str(&format!("{last}/{query}")) {
        Ok(there) => (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, there)]).into_response(),
        Err(_) => error::outside(uri, prefix).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_below_is_inside() {
        for (uri, expect) in [
            ("/ed0/lab/", Some("/")),
            ("/ed0/lab/a/b?c=/ed0/lab", Some("/a/b?c=/ed0/lab")),
            ("/ed0/lab//a", Some("//a")),
            ("/ed0/lab/ed0/lab/", Some("/ed0/lab/")),
            ("http://lab.example/ed0/lab/a", Some("http://lab.example/a")),
            ("/ed0/lab", None),
            ("/ed0/lab?a", None),
            ("/ed0/labwatch/", None),
            ("/ed0/LAB/", None),
            ("/ed0/l%61b/", None),
            ("/", None),
            ("*", None),
        ] {
            let found = inside("/ed0/lab", &uri.parse().expect("a URI")).map(|uri| uri.to_string());
            assert_eq!(found.as_deref(), expect, "{uri}");
        }
    }
}
