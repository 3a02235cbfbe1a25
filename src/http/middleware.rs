//! Common response middleware: a request id, one form of errors, bounds on size and time,
//! compression, security headers, and containment of panics.

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::{
    CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, SERVER,
    STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::limit::RequestBodyLimitLayer;
use tracing::Instrument as _;

use super::auth::client::Peer;
use super::cors::{self, Cors};
use super::error::{self, ApiError};
use super::etag::{freshen, keeping};
use super::packed::{Room, pack};
use super::port_probe;
use super::unread_body::settle;

/// The longest body of a request, in bytes.
pub const MAX_BODY_BYTES: usize = 64 << 10;

/// How long a handler may take until its answer begins. Streams of events begin at once.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Shorter answers are not compressed: it would not make them fewer packets.
const COMPRESSED_FROM: u64 = 1_024;

/// The longest id of a request that is taken from its sender, in bytes.
const MAX_REQUEST_ID: usize = 64;

/// The id of a request, and of its answer.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The default content security policy of a page: only its own resources, and no text that becomes
/// a script.
pub const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// The policy for anything else that is shown as a page: nothing is allowed.
const NO_PAGE_POLICY: &str =
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The browser features that no page of ours needs.
const PERMISSIONS: &str = "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), midi=(), \
    accelerometer=(), gyroscope=(), magnetometer=(), display-capture=()";

/// A year, in which browsers that once came over TLS use nothing else.
const ONLY_TLS: &str = "max-age=31536000";

/// Marks an answer whose status is its content, as 503 is that of health: it is no error, and keeps
/// its body.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnErrorText;

/// Adds the common layers.
pub(super) fn with_layers(routes: Router, cors: Cors) -> Router {
    let worth = SizeAbove::new(COMPRESSED_FROM)
        .and(NotForContentType::SSE)
        .and(NotForContentType::IMAGES);
    // The fastest level: the processor is needed for evaluation, and JSON shrinks to a tenth in any
    // case.
    let compression = CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(worth);
    routes
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(RequestBodyLimitLayer::new(MAX_BODY_BYTES))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(in_time))
        .layer(from_fn(freshen))
        .layer(from_fn_with_state(Room::default(), pack))
        .layer(compression)
        .layer(from_fn_with_state(cors, cors::allow))
        .layer(from_fn(settle))
        .layer(from_fn(with_common_layers))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature is the layer's"
)]
fn panicked(payload: Box<dyn Any + Send + 'static>) -> Response {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it did not say why");
    tracing::error!(
        panic = text,
        "a handler of the API panicked; the reader got a 500, everything else goes on"
    );
    error::internal().into_response()
}

async fn in_time(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    tokio::time::timeout(ANSWER_WITHIN, next.run(request))
        .await
        .unwrap_or_else(|_| {
            tracing::error!(path, "a handler of the API took too long and was given up");
            error::too_slow().into_response()
        })
}

/// The properties of a request that its answer depends on.
struct RequestContext {
    id: String,
    /// Whether errors have the form of the old program.
    is_old: bool,
    tls: bool,
}

impl RequestContext {
    fn of(request: &Request) -> Self {
        Self {
            id: request_id(request.headers()),
            is_old: error::is_old(request.uri().path()),
            tls: request
                .extensions()
                .get::<Peer>()
                .is_some_and(|peer| peer.tls),
        }
    }
}

/// Adds the common headers to an answer that no route gave.
pub(super) fn with_common_headers(request: &Request, answer: Response) -> Response {
    finished(answer, &RequestContext::of(request))
}

/// Gives errors their form and adds the common headers.
async fn with_common_layers(request: Request, next: Next) -> Response {
    let asked = RequestContext::of(&request);
    let span = tracing::info_span!("request", id = asked.id);
    let response = next.run(request).instrument(span).await;
    finished(response, &asked)
}

fn finished(response: Response, asked: &RequestContext) -> Response {
    let mut response = explained(response, asked);
    let status = response.status();
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static(port_probe::SERVER));
    error::say_when(status, headers);
    keeping(headers);
    if let Ok(id) = HeaderValue::from_str(&asked.id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.append(VARY, HeaderValue::from_static("authorization, cookie"));
    protect(headers, asked);
    response
}

/// Rewrites an error to the API's form, wherever it was made. Pages and answers marked as having
/// their own text stay.
fn explained(mut response: Response, asked: &RequestContext) -> Response {
    let status = response.status();
    let ours = response.extensions_mut().remove::<ApiError>();
    let has_own_text =
        response.extensions().get::<OwnErrorText>().is_some() || is_page(response.headers());
    let error = match ours {
        Some(error) => error,
        None if (status.is_client_error() || status.is_server_error()) && !has_own_text => {
            error::of_status(status)
        }
        None => return response,
    };
    let (kind, body) = error.written(asked.is_old, &asked.id);
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, kind);
    Response::from_parts(parts, Body::from(body))
}

/// Adds the security headers. Those that a handler has set stay.
fn protect(headers: &mut HeaderMap, asked: &RequestContext) {
    let policy = if is_page(headers) {
        PAGE_POLICY
    } else {
        NO_PAGE_POLICY
    };
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, policy),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("permissions-policy"), PERMISSIONS),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    if asked.tls {
        headers.insert(
            STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static(ONLY_TLS),
        );
    }
}

/// Whether an answer is a page.
pub(super) fn is_page(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("text/html"))
}

/// The sender's request id, where it is safe to log, or a new one.
fn request_id(headers: &HeaderMap) -> String {
    let sane = |id: &&str| {
        (1..=MAX_REQUEST_ID).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let given = headers
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .filter(sane);
    given.map_or_else(|| format!("{:016x}", fastrand::u64(..)), str::to_owned)
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use axum::routing::get;
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::JoinSet;
    use tokio_util::sync::CancellationToken;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_answer_and_not_the_end() {
        let routes = Router::new()
            .route("/boom", get(boom))
            .route("/", get(async || "fine"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("has an address");
        let mut server = JoinSet::new();
        server.spawn(super::super::serve(
            listener,
            with_layers(routes, Cors::Off),
            CancellationToken::new(),
        ));

        let mut stream = TcpStream::connect(address).await.expect("connects");
        let requests = "GET /boom HTTP/1.1\r\nhost: x\r\nx-request-id: 7\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(requests.as_bytes()).await.expect("sends");
        let mut answers = String::new();
        stream.read_to_string(&mut answers).await.expect("reads");
        assert!(answers.starts_with("HTTP/1.1 500"), "{answers}");
        assert!(answers.contains(r#""status":500,"detail":"internal error of labwatch: see its log","reason":"internal","request_id":"7"}"#), "{answers}");
        assert!(!answers.contains("secret"), "{answers}");
        assert!(
            answers.ends_with("fine"),
            "the same connection goes on: {answers}"
        );
    }

    async fn boom() {
        panic!("the secret inner life");
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_that_never_ends_is_given_up() {
        let routes = with_layers(
            Router::new().route("/", get(async || std::future::pending::<&str>().await)),
            Cors::Off,
        );
        let request = Request::builder()
            .uri("/")
            .body(Body::empty())
            .expect("a request");
        let response = ask(routes, request).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    async fn ask(routes: Router, request: Request) -> Response {
        TowerToHyperService::new(routes)
            .call(request)
            .await
            .unwrap_or_else(|never| match never {})
    }

    #[test]
    fn an_id_is_taken_if_it_is_sane() {
        for (given, taken) in [
            ("abc-1.2_X", true),
            ("a b", false),
            ("", false),
            ("<x>", false),
            (&"a".repeat(65), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(given).expect("a value"));
            assert_eq!(request_id(&headers) == given, taken, "{given}");
            assert!(!request_id(&headers).is_empty());
        }
    }

    #[test]
    fn a_handlers_own_policy_stays() {
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("frame-ancestors *"),
        );
        protect(
            &mut headers,
            &RequestContext {
                id: String::new(),
                is_old: false,
                tls: false,
            },
        );
        assert_eq!(
            headers.get(CONTENT_SECURITY_POLICY).expect("one"),
            "frame-ancestors *"
        );
        assert_eq!(headers.get_all(CONTENT_SECURITY_POLICY).iter().count(), 1);
    }
}
