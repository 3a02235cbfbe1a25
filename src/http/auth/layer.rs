//! The access middleware: every routed request passes here once, before its handler, with what its
//! group of routes needs; and every change is recorded here.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, LOCATION, SET_COOKIE};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::authenticator::{Authenticator, Validity};
use super::client::Client;
use super::{Caller, Need, Noted, below, is_place};
use crate::http::error::{self, ApiError};

/// Passes a request to the handler of a route with this need, or refuses it.
pub(in crate::http) async fn authenticate(
    State((authenticator, need)): State<(Arc<Authenticator>, Need)>,
    request: Request,
    next: Next,
) -> Response {
    if !authenticator.is_meant(&request) {
        return error::other_host().into_response();
    }
    let client = authenticator.client(&request);
    let identified = authenticator.identify(request.method(), request.headers(), client);
    let stale_cookie = matches!(&identified, Ok(identified) if identified.stale_cookie);
    let caller = match identified {
        Ok(identified) => Ok(identified.caller),
        Err(_) if need == Need::Always => Ok(Caller::Anonymous),
        Err(error) => Err(error),
    };
    let response = match caller {
        Ok(caller) => answer(&authenticator, request, need, (client, caller), next).await,
        Err(error) => refused(&authenticator, page_asked_for(&request).as_ref(), error),
    };
    if stale_cookie {
        without_cookie(response, authenticator.cookie.remove(client.secure))
    } else {
        response
    }
}

/// Answers a known or unknown caller.
async fn answer(
    authenticator: &Arc<Authenticator>,
    request: Request,
    need: Need,
    (client, caller): (Client, Caller),
    next: Next,
) -> Response {
    let page = page_asked_for(&request);
    match authenticator.authorize(request, &caller, need).await {
        Ok(request) => pass_on(authenticator, request, (client, caller), next).await,
        Err(error) => refused(authenticator, page.as_ref(), error),
    }
}

/// The address of the page that a browser asked for.
fn page_asked_for(request: &Request) -> Option<Uri> {
    (request.method() == Method::GET && accepts_pages(request.headers()))
        .then(|| request.uri().clone())
}

/// A refusal: for a browser that could sign in, the sign-in form.
fn refused(authenticator: &Authenticator, page: Option<&Uri>, error: ApiError) -> Response {
    let response = error.into_response();
    match page.filter(|_| response.status() == StatusCode::UNAUTHORIZED) {
        Some(wanted) => to(authenticator.page(&sign_in_address(
            wanted.path_and_query().map_or("", PathAndQuery::as_str),
            None,
        ))),
        None => response,
    }
}

/// The answer, which also removes the browser's cookie, unless it sets a new one.
fn without_cookie(mut response: Response, removal: Option<HeaderValue>) -> Response {
    if let Some(removal) = removal {
        response.headers_mut().entry(SET_COOKIE).or_insert(removal);
    }
    response
}

/// Runs the handler. A change that a known caller made and that the handler did not record is
/// recorded by its path.
async fn pass_on(
    authenticator: &Arc<Authenticator>,
    mut request: Request,
    (client, caller): (Client, Caller),
    next: Next,
) -> Response {
    let changes = !request.method().is_safe() && caller != Caller::Anonymous;
    let change = changes.then(|| format!("{} {}", request.method(), request.uri().path()));
    request.extensions_mut().insert(client);
    request.extensions_mut().insert(caller.clone());
    request.extensions_mut().insert(Validity {
        authenticator: Arc::clone(authenticator),
        caller: caller.clone(),
    });
    let mut response = next.run(request).await;
    if caller != Caller::Anonymous {
        keep_private(response.headers_mut());
    }
    let worked = response.status().is_success() || response.status().is_redirection();
    if let Some(change) =
        change.filter(|_| worked && response.extensions().get::<Noted>().is_none())
    {
        let _noted: Noted = authenticator.audit.note(&caller, &change);
    }
    response
}

/// Keeps answers that needed a token or a session, or depend on one, out of shared caches.
fn keep_private(headers: &mut HeaderMap) {
    let shared = headers
        .get(CACHE_CONTROL)
        .and_then(|keeping| keeping.to_str().ok())
        .and_then(|keeping| keeping.strip_prefix("public"))
        .map(|rest| format!("private{rest}"));
    if let Some(private) = shared.and_then(|text| HeaderValue::try_from(text).ok()) {
        headers.insert(CACHE_CONTROL, private);
    }
}

/// The address of the form for signing in: where it leads then, and why their last token
/// was refused.
pub(in crate::http) fn sign_in_address(next: &str, refused: Option<&str>) -> String {
    let next = Some(next).filter(|next| is_place(next) && *next != "/");
    let next = next.map(|next| ("next", next));
    below(
        "/login",
        next.into_iter().chain(refused.map(|why| ("refused", why))),
    )
}

/// Whether it is a browser that wants a page.
pub(in crate::http) fn accepts_pages(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

/// Sends a browser to another page.
pub(in crate::http) fn to(page: HeaderValue) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, page)]).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;
    use std::time::Duration;

    use axum::body::Body;
    use axum::http::header::{AUTHORIZATION, HOST};
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;
    use jiff::Timestamp;

    use super::*;
    use crate::http::auth::client::Peer;
    use crate::http::auth::{Audit, Authority, Grant, Reading, Reportable, Revocations, Scope};
    use crate::http::{AccessSettings, Routes};

    type Notes = Arc<Mutex<Vec<String>>>;

    const SECRET: &str = "the-secret-of-the-tests-of-the-authenticator";

    /// The answer of these routes to an admin's request, and what is recorded.
    async fn ask(routes: Routes, method: Method, path: &str) -> (StatusCode, Vec<String>) {
        let grant = Grant {
            name: "Ada".to_owned(),
            scopes: [Scope::Admin].into_iter().collect(),
            reports: Reportable::default(),
            life: Duration::from_secs(60),
        };
        let issued = Authority::new(&SECRET.into()).issue(&grant, Timestamp::now());
        let token = issued.expect("issues").token;
        ask_as(routes, method, path, Some(&token)).await
    }

    async fn ask_as(
        routes: Routes,
        method: Method,
        path: &str,
        token: Option<&str>,
    ) -> (StatusCode, Vec<String>) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        answered(routes, request.body(Body::empty()).expect("a request")).await
    }

    async fn answered(routes: Routes, request: Request) -> (StatusCode, Vec<String>) {
        let notes = Notes::default();
        let audit = {
            let notes = Arc::clone(&notes);
            Audit::new(move |who, what| notes.lock().expect("whole").push(format!("{who} {what}")))
        };
        let revocations = Revocations::recall(
            &BTreeMap::new(),
            Timestamp::UNIX_EPOCH,
            Box::new(|_, _| Box::pin(std::future::ready(true))),
        );
        let session = Duration::from_secs(60);
        let settings = AccessSettings {
            secret: Some(SECRET.into()),
            reading: Reading::Open,
            session,
            trusted_proxies: Vec::new(),
            url: None,
            base: String::new(),
        };
        let routes = routes.guarded(
            &Arc::new(Authenticator::new(settings, revocations, audit)),
            None,
        );
        let response = TowerToHyperService::new(routes)
            .call(request)
            .await
            .unwrap_or_else(|never| match never {});
        let notes = notes.lock().expect("whole").clone();
        (response.status(), notes)
    }

    #[tokio::test]
    async fn a_change_that_its_handler_does_not_note_is_noted_by_its_path() {
        let silent = Routes::default().add_page(Method::POST, "/logout", async || "done");
        assert_eq!(
            ask(silent, Method::POST, "/logout?x=y").await,
            (StatusCode::OK, vec!["Ada POST /logout".to_owned()])
        );
        let silent = Routes::default().add_page(Method::POST, "/logout", async || "done");
        assert_eq!(
            ask_as(silent, Method::POST, "/logout", None).await,
            (StatusCode::OK, vec![]),
            "a stranger leaves no record"
        );
        let failing =
            Routes::default().add_page(Method::POST, "/logout", async || StatusCode::CONFLICT);
        assert_eq!(
            ask(failing, Method::POST, "/logout").await,
            (StatusCode::CONFLICT, vec![]),
            "what did not happen is not noted"
        );
        let reading = Routes::default().add_page(Method::GET, "/login", async || "a form");
        assert_eq!(
            ask(reading, Method::GET, "/login").await,
            (StatusCode::OK, vec![]),
            "nor is what changes nothing"
        );
    }

    #[tokio::test]
    async fn a_name_that_leads_here_from_elsewhere_is_not_ours() {
        let wrong = StatusCode::MISDIRECTED_REQUEST;
        for (target, host, more, expect) in [
            ("/login", &b"localhost:3007"[..], None, StatusCode::OK),
            ("/login", b"[::1]:3007", None, StatusCode::OK),
            ("/login", b"rebound.example", None, wrong),
            ("/login", b"localhost.rebound.example", None, wrong),
            ("/login", b"\xffrebound", None, wrong),
            ("http://rebound.example/login", b"localhost", None, wrong),
            ("http://localhost/login", b"localhost", None, StatusCode::OK),
            (
                "/login",
                b"lab.example",
                Some("x-forwarded-for"),
                StatusCode::OK,
            ),
        ] {
            let routes = Routes::default().add_page(Method::GET, "/login", async || "a form");
            let mut request = Request::builder().uri(target).header(HOST, host);
            if let Some(name) = more {
                request = request.header(name, "192.0.2.1");
            }
            let mut request = request.body(Body::empty()).expect("a request");
            request.extensions_mut().insert(Peer {
                address: ([127, 0, 0, 1], 9).into(),
                tls: false,
            });
            let (status, _) = answered(routes, request).await;
            assert_eq!(status, expect, "{target} {host:?}");
        }
    }

    #[test]
    fn what_a_token_got_is_for_no_shared_cache() {
        for (keeping, expect) in [
            ("public, max-age=60", "private, max-age=60"),
            ("private, no-cache", "private, no-cache"),
            ("no-store", "no-store"),
        ] {
            let value = HeaderValue::from_static(keeping);
            let mut headers = HeaderMap::from_iter([(CACHE_CONTROL, value)]);
            keep_private(&mut headers);
            assert_eq!(headers[CACHE_CONTROL], expect);
        }
    }
}
