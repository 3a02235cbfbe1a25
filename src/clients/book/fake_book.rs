//! A small book for tests: it behaves as the real one and can be given faults. Only built for
//! tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::clients::{Address, BookClient, Http};

/// A fault of the book, or of one of its resources.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BookFault {
    /// It accepts the call and never answers.
    Silent,
    /// It rejects the token, as the real one does.
    BadToken,
    /// It answers with this status.
    Status(u16),
    /// It answers with this status and this text.
    Said(u16, &'static str),
    /// It answers 200 with this body.
    Body(&'static str),
    /// It answers that it has switched, and has not.
    Deaf,
}

/// The book. It stops when it is dropped.
pub(crate) struct FakeBook {
    shared: Shared,
    base: String,
    _server: JoinSet<()>,
}

#[derive(Default)]
struct Book {
    resources: BTreeMap<String, (String, bool, String)>,
    fault: Option<BookFault>,
    faults: BTreeMap<String, BookFault>,
    documents: BTreeMap<&'static str, Result<Value, BookFault>>,
    calls: Vec<String>,
    tokens: BTreeSet<String>,
    ahead: SignedDuration,
}

type Shared = Arc<Mutex<Book>>;

impl FakeBook {
    /// A book without a manifest, on a port of its own.
    pub(crate) async fn start() -> Self {
        let shared = Shared::default();
        let admin = Router::new()
            .route("/resources", get(resources))
            .route("/resources/{name}", get(read).put(switch))
            .route("/status", get(status))
            .route("/manifest", get(document))
            .route("/bookings", get(document))
            .layer(from_fn_with_state(Arc::clone(&shared), guard))
            .with_state(Arc::clone(&shared));
        let router = Router::new()
            .nest("/api/v1/admin", admin)
            .fallback(no_such_path);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.expect("serves") });
        Self {
            shared,
            base,
            _server: server,
        }
    }

    /// A client of it.
    pub(crate) fn client(&self, timeout: Duration) -> BookClient {
        client(&self.base, timeout)
    }

    /// A client with a wrong base path.
    pub(crate) fn client_at(&self, path: &str) -> BookClient {
        client(&format!("{}{path}", self.base), Duration::from_secs(5))
    }

    /// A client of a book that is not reachable.
    pub(crate) async fn dead_address() -> BookClient {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        client(
            &format!("http://{}", listener.local_addr().expect("an address")),
            Duration::from_secs(5),
        )
    }

    /// Puts a resource into the manifest.
    pub(crate) fn put(&self, name: &str, stub: &str, available: bool, reason: &str) {
        self.book()
            .resources
            .insert(name.into(), (stub.into(), available, reason.into()));
    }

    /// Drops the manifest, as after a restart.
    pub(crate) fn forget(&self) {
        self.book().resources.clear();
    }

    /// The stored availability of a resource.
    pub(crate) fn stored(&self, name: &str) -> Option<(bool, String)> {
        self.book()
            .resources
            .get(name)
            .map(|(_, available, reason)| (*available, reason.clone()))
    }

    /// Sets or removes a fault of the whole book.
    pub(crate) fn set_fault(&self, fault: Option<BookFault>) {
        self.book().fault = fault;
    }

    /// Sets a fault of one resource.
    pub(crate) fn set_fault_of(&self, name: &str, fault: BookFault) {
        self.book().faults.insert(name.into(), fault);
    }

    /// Sets the response to `manifest` or `bookings`. Without it there is no such path.
    pub(crate) fn set_document(&self, name: &'static str, answer: Result<Value, BookFault>) {
        self.book().documents.insert(name, answer);
    }

    /// Sets its clock ahead of ours.
    pub(crate) fn set_ahead(&self, ahead: SignedDuration) {
        self.book().ahead = ahead;
    }

    /// The calls for single resources since the last time, such as `PUT r-a`.
    pub(crate) fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.book().calls)
    }

    /// How many different tokens were received.
    pub(crate) fn tokens_seen(&self) -> usize {
        self.book().tokens.len()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.shared.lock().expect("no thread panics")
    }
}

fn client(base: &str, timeout: Duration) -> BookClient {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let address = Address {
        audience: "https://app.example.org/ed0/book".into(),
        connect: base.parse().expect("a url"),
        websocket: None,
        secret: "somesecret".into(),
    };
    BookClient::new(address, Http::new(timeout, tls).expect("a client"))
}

/// Checks the token and applies the whole book's fault.
async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let token = request
        .headers()
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let fault = {
        let mut book = shared.lock().expect("no thread panics");
        book.tokens.insert(token.clone());
        book.fault
    };
    let fault = if token.starts_with("ey") {
        fault
    } else {
        Some(BookFault::BadToken)
    };
    match fault {
        None | Some(BookFault::Deaf) => next.run(request).await,
        Some(fault) => play(fault).await,
    }
}

async fn play(fault: BookFault) -> Response {
    match fault {
        BookFault::Silent => std::future::pending().await,
        BookFault::BadToken => error(
            500,
            &json!({"code": 500, "message": "error parsing claims was signature is invalid"}),
        ),
        BookFault::Status(code) => error(code, &json!({"code": code, "message": "oops"})),
        BookFault::Said(code, words) => error(code, &json!({"code": code, "message": words})),
        BookFault::Body(body) => Body::from(body).into_response(),
        BookFault::Deaf => StatusCode::NO_CONTENT.into_response(),
    }
}

async fn resources(State(shared): State<Shared>) -> Response {
    let book = shared.lock().expect("no thread panics");
    let entry = |stub: &str| json!({"description": "d", "streams": ["st-data", "st-video"], "tests": null, "topic_stub": stub});
    let all: BTreeMap<_, _> = book
        .resources
        .iter()
        .map(|(name, (stub, ..))| (name, entry(stub)))
        .collect();
    axum::Json(json!(all)).into_response()
}

async fn status(State(shared): State<Shared>) -> Response {
    let book = shared.lock().expect("no thread panics");
    let now = (Timestamp::now() + book.ahead).to_string();
    axum::Json(json!({"resources": book.resources.len(), "locked": false, "message": "Welcome", "now": now})).into_response()
}

async fn document(State(shared): State<Shared>, uri: Uri) -> Response {
    let name = uri.path().rsplit('/').next().unwrap_or_default().to_owned();
    let answer = shared
        .lock()
        .expect("no thread panics")
        .documents
        .get(name.as_str())
        .cloned();
    match answer {
        Some(Ok(document)) => axum::Json(document).into_response(),
        Some(Err(fault)) => play(fault).await,
        None => no_such_path(uri).await,
    }
}

async fn read(State(shared): State<Shared>, Path(name): Path<String>) -> Response {
    if let Some(fault) =
        note(&shared, &Method::GET, &name).filter(|fault| !matches!(fault, BookFault::Deaf))
    {
        return play(fault).await;
    }
    let book = shared.lock().expect("no thread panics");
    let Some((_, available, reason)) = book.resources.get(&name) else {
        return gone(&name);
    };
    let reason = if *available {
        reason.clone()
    } else {
        format!("unavailable because {reason}")
    };
    axum::Json(json!({"available": available, "reason": reason})).into_response()
}

async fn switch(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    if let Some(fault) = note(&shared, &Method::PUT, &name) {
        return play(fault).await;
    }
    let (Some(available), Some(reason)) = (
        query.get("available"),
        query.get("reason").filter(|reason| !reason.is_empty()),
    ) else {
        return error(
            422,
            &json!({"code": 602, "message": "reason in query is required"}),
        );
    };
    let mut book = shared.lock().expect("no thread panics");
    let Some(resource) = book.resources.get_mut(&name) else {
        return gone(&name);
    };
    (resource.1, resource.2) = (available == "true", reason.clone());
    StatusCode::NO_CONTENT.into_response()
}

async fn no_such_path(uri: Uri) -> Response {
    error(
        404,
        &json!({"code": 404, "message": format!("path {} was not found", uri.path())}),
    )
}

/// Records the call and returns the resource's fault.
fn note(shared: &Shared, method: &Method, name: &str) -> Option<BookFault> {
    let mut book = shared.lock().expect("no thread panics");
    book.calls.push(format!("{method} {name}"));
    book.faults.get(name).copied()
}

fn gone(name: &str) -> Response {
    error(
        404,
        &json!({"code": "404", "message": format!("resource {name} not found")}),
    )
}

fn error(code: u16, body: &Value) -> Response {
    (
        StatusCode::from_u16(code).expect("a status"),
        axum::Json(body.clone()),
    )
        .into_response()
}
