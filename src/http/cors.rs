//! Which other sites' pages may read the API and, with a token, use it (CORS). Without the setting
//! none may. Never with cookies: a session is for our own pages alone.

use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ALLOW,
    HeaderName, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;

/// The paths that other sites' pages may read: those for programs.
const PATHS: [&str; 2] = ["/api/", "/swagger.json"];

/// The headers that such a page may send.
const SENT: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id, x-request-id",
);

/// The headers of an answer that such a page may read.
const READ: HeaderValue =
    HeaderValue::from_static("etag, link, location, retry-after, x-request-id");

/// How long a browser may cache the permission, in seconds.
const REMEMBERED: HeaderValue = HeaderValue::from_static("600");

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The sites whose pages may use the API.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Cors {
    /// Only our own.
    #[default]
    Off,
    /// Every site.
    Any,
    /// These sites, such as `https://lab.example`.
    Origins(Vec<String>),
}

impl Cors {
    /// The value of the header for a page of this site; `None` where it may not read.
    fn allows(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        match self {
            Self::Off => None,
            Self::Any => Some(HeaderValue::from_static("*")),
            Self::Origins(known) => known
                .iter()
                .any(|known| known.as_bytes() == origin.as_bytes())
                .then(|| origin.clone()),
        }
    }
}

/// Adds to each answer for programs which other sites' pages may read it.
pub(super) async fn allow(State(cors): State<Cors>, request: Request, next: Next) -> Response {
    let is_for_programs = PATHS
        .iter()
        .any(|path| request.uri().path().starts_with(path));
    if cors == Cors::Off || !is_for_programs {
        return next.run(request).await;
    }
    let asked = request.headers();
    let allowed = asked.get(ORIGIN).and_then(|origin| cors.allows(origin));
    let asks_first =
        request.method() == Method::OPTIONS && asked.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if matches!(cors, Cors::Origins(_)) {
        headers.append(VARY, HeaderValue::from_static("origin"));
    }
    if let Some(origin) = allowed {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, READ);
        if asks_first {
            answer_before(headers);
        }
    }
    response
}

/// The answer to a browser's preflight request.
fn answer_before(headers: &mut HeaderMap) {
    if let Some(methods) = headers.get(ALLOW).cloned() {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    }
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, SENT);
    headers.insert(ACCESS_CONTROL_MAX_AGE, REMEMBERED);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_compared_whole() {
        let some = Cors::Origins(vec!["https://lab.example".to_owned()]);
        for (cors, origin, expect) in [
            (&Cors::Off, "https://lab.example", None),
            (&Cors::Any, "https://other.example", Some("*")),
            (&some, "https://lab.example", Some("https://lab.example")),
            (&some, "https://lab.example.evil", None),
            (&some, "http://lab.example", None),
            (&some, "null", None),
        ] {
            let allowed = cors.allows(&HeaderValue::from_static(origin));
            assert_eq!(allowed, expect.map(HeaderValue::from_static), "{origin}");
        }
    }
}
