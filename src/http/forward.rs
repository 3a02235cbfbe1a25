//! Forwards a command that reaches a follower to the leader, with the caller's credentials, and
//! returns the leader's answer.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT, ACCEPT_LANGUAGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, COOKIE, ETAG, IF_MATCH,
    LINK, LOCATION, RETRY_AFTER, SET_COOKIE, USER_AGENT, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use engine::Role;
use url::Url;

use super::cluster_state::{ClusterState, PassedOn, Returned};
use super::error;
use super::middleware::{MAX_BODY_BYTES, OwnErrorText};
use crate::http::auth::Noted;

/// Marks a forwarded request with the name of the replica that forwarded it. It is forwarded once.
const PASSED_ON: HeaderName = HeaderName::from_static("labwatch-passed-on");

/// The headers that are forwarded with a request. The browser's origin was checked here, where it
/// arrived.
const ASKED: [HeaderName; 9] = [
    ACCEPT,
    ACCEPT_LANGUAGE,
    AUTHORIZATION,
    CONTENT_TYPE,
    COOKIE,
    IF_MATCH,
    USER_AGENT,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("x-csrf-token"),
];

/// The headers that are returned with the answer.
const ANSWERED: [HeaderName; 8] = [
    CACHE_CONTROL,
    CONTENT_TYPE,
    ETAG,
    LINK,
    LOCATION,
    RETRY_AFTER,
    SET_COOKIE,
    WWW_AUTHENTICATE,
];

/// Changes of this replica alone: tokens that it accepts, its log, its lead.
const OWN: [&str; 3] = ["/api/v2/tokens", "/actuator/logger", "/api/v2/cluster"];

/// The error while no replica leads.
const NO_LEADER: &str = "no replica leads now: try again in a few seconds";

/// The forms of the page, and their confirmations.
const FORMS: &str = "/do/";

/// Forwards a command if another replica leads.
pub(super) async fn to_leader(
    State(cluster): State<ClusterState>,
    request: Request,
    next: Next,
) -> Response {
    let view = cluster.view.borrow().clone();
    if view.role == Role::Leader || !is_command(&request) {
        return next.run(request).await;
    }
    if request.headers().contains_key(PASSED_ON) {
        // The replica that forwarded it has not learned yet that this one leads no more.
        return error::unavailable(NO_LEADER).into_response();
    }
    let leader = view.leader.as_ref();
    let place = leader
        .filter(|leader| !leader.is_same(&view.this))
        .and_then(|leader| Url::parse(&leader.url).ok());
    let Some(url) = place.and_then(|place| below(&place, &request)) else {
        return error::unavailable(NO_LEADER).into_response();
    };
    let headers = asked(request.headers(), &view.this.name);
    let method = request.method().clone();
    let Ok(body) = to_bytes(request.into_body(), MAX_BODY_BYTES).await else {
        return error::too_long().into_response();
    };
    let passed_on = PassedOn {
        method,
        url,
        headers,
        body,
    };
    match (cluster.pass_on)(passed_on).await {
        Ok(returned) => answered(returned),
        Err(why) => {
            let leader = leader.map_or("", |leader| &leader.name);
            tracing::warn!(leader, why, "cannot pass a command on to the leader");
            error::unavailable(format!(
                "the replica that leads, {leader}, does not answer: try again in a few seconds"
            ))
            .into_response()
        }
    }
}

/// Whether the leader must answer it.
fn is_command(request: &Request) -> bool {
    let path = request.uri().path();
    let is_safe = request.method().is_safe() || request.method() == Method::OPTIONS;
    let is_own = OWN.iter().any(|own| path.starts_with(own));
    (!is_safe || path.starts_with(FORMS)) && !is_own
}

/// The same address at another replica.
fn below(place: &Url, request: &Request) -> Option<Url> {
    let rest = request.uri().path_and_query()?.as_str();
    let place = place.as_str().trim_end_matches('/');
    Url::parse(&format!("{place}{rest}")).ok()
}

fn asked(headers: &HeaderMap, by: &str) -> HeaderMap {
    let mut passed = only(headers, &ASKED);
    let by = HeaderValue::try_from(by).unwrap_or(HeaderValue::from_static("follower"));
    passed.insert(PASSED_ON, by);
    passed
}

fn only(headers: &HeaderMap, names: &[HeaderName]) -> HeaderMap {
    let kept = headers.iter().filter(|(name, _)| names.contains(name));
    kept.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The leader's answer with its own text. The leader's audit has the change.
fn answered((status, headers, body): Returned) -> Response {
    let headers = only(&headers, &ANSWERED);
    let mut response = (status, Noted::elsewhere(), Body::from(body)).into_response();
    response.headers_mut().remove(CONTENT_TYPE);
    response.headers_mut().extend(headers);
    response.extensions_mut().insert(OwnErrorText);
    response
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use axum::Router;
    use axum::http::StatusCode;
    use axum::middleware::from_fn_with_state;
    use axum::routing::any;
    use jiff::Timestamp;
    use tokio::sync::watch;
    use tower::ServiceExt;

    use super::*;
    use crate::cluster::{Peer, View};

    fn peer(name: &str) -> Peer {
        Peer {
            name: name.to_owned(),
            url: format!("http://{name}.example.org:3007/ed0"),
            version: String::new(),
        }
    }

    /// The answer of this replica and the forwarded requests, while this one leads.
    async fn ask(leader: Option<&str>, request: Request) -> (StatusCode, Vec<PassedOn>) {
        let mut view = View::connecting(
            peer("second"),
            Duration::from_secs(10),
            Timestamp::UNIX_EPOCH,
        );
        view.leader = leader.map(peer);
        if leader == Some("second") {
            view.role = Role::Leader;
        }
        let passed = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&passed);
        let cluster = ClusterState {
            view: watch::channel(Arc::new(view)).1,
            left: Arc::new(|| Duration::ZERO),
            give_up: Arc::new(|| Box::pin(async { Ok(()) })),
            pass_on: Arc::new(move |request| {
                seen.lock().expect("whole").push(request);
                let answer = (StatusCode::CREATED, HeaderMap::new(), "made".into());
                Box::pin(async { Ok(answer) })
            }),
        };
        let router = Router::new()
            .fallback(any(|| async { StatusCode::OK }))
            .layer(from_fn_with_state(cluster, to_leader));
        let answer = router.oneshot(request).await.expect("infallible");
        let passed = std::mem::take(&mut *passed.lock().expect("whole"));
        (answer.status(), passed)
    }

    fn request(method: &str, path: &str, header: Option<(&str, &str)>) -> Request {
        let request = Request::builder().method(method).uri(path);
        let request = header.into_iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        request.body(Body::from("{}")).expect("a request")
    }

    #[tokio::test]
    async fn commands_go_to_the_leader_with_what_their_caller_shows() {
        let shown = Some(("authorization", "Bearer abc"));
        let hold = request("POST", "/api/v2/holds?dry_run=true", shown);
        let (status, passed) = ask(Some("first"), hold).await;
        assert_eq!(status, StatusCode::CREATED);
        let [passed] = passed.as_slice() else {
            panic!("one is passed on");
        };
        assert_eq!(
            passed.url.as_str(),
            "http://first.example.org:3007/ed0/api/v2/holds?dry_run=true"
        );
        assert_eq!(passed.headers["authorization"], "Bearer abc");
        assert_eq!(passed.headers[PASSED_ON], "second");
        assert_eq!(&passed.body[..], b"{}");
    }

    #[tokio::test]
    async fn what_is_this_replicas_own_stays_here() {
        for (method, path, header) in [
            ("GET", "/api/v2/holds", None),
            ("DELETE", "/api/v2/tokens/7", None),
            ("POST", "/api/v2/cluster/resign", None),
        ] {
            let (status, passed) = ask(Some("first"), request(method, path, header)).await;
            assert_eq!((status, passed.len()), (StatusCode::OK, 0), "{path}");
        }
        let (_, passed) = ask(Some("second"), request("POST", "/api/v2/holds", None)).await;
        assert!(passed.is_empty(), "it leads");
        let (_, passed) = ask(Some("first"), request("GET", "/do/hold?resource=x", None)).await;
        assert_eq!(passed.len(), 1, "a form says what its command would do");
    }

    #[tokio::test]
    async fn what_was_passed_on_is_not_passed_on_again() {
        let other = Some(("labwatch-passed-on", "third"));
        let hold = || request("POST", "/api/v2/holds", other);
        let (status, passed) = ask(Some("first"), hold()).await;
        assert_eq!((status, passed.len()), (StatusCode::SERVICE_UNAVAILABLE, 0));
        let (status, passed) = ask(Some("second"), hold()).await;
        assert_eq!((status, passed.len()), (StatusCode::OK, 0), "it leads");
    }

    #[tokio::test]
    async fn without_a_leader_it_is_said() {
        let (status, passed) = ask(None, request("POST", "/api/v2/holds", None)).await;
        assert_eq!((status, passed.len()), (StatusCode::SERVICE_UNAVAILABLE, 0));
    }
}
