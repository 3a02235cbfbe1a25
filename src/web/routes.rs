//! The addresses of the pages, and what every answer has in common: what a browser may do with it, and how long it may keep it.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use maud::{Markup, html};
use tokio::sync::watch;

use super::filter::Filter;
use super::layout::{self, Frame};
use super::overview::{self, Rows};
use super::view::{self, Experiment};
use super::{assets, experiment, history, holds, outbox, pools, sources};
use crate::access::Caller;
use crate::engine::Snapshot;
use crate::store::{Reader, Store, StoreHealth};

/// What a page may do: load from here alone, run no script but ours, and make documents of text only where our own policy says so.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
                      base-uri 'none'; require-trusted-types-for 'script'; trusted-types labwatch; frame-ancestors";

/// The cookie that holds the reader's choice of a theme.
const THEME_COOKIE: &str = "labwatch-theme=";

/// What the pages are made from.
#[derive(Debug, Clone)]
pub struct WebState {
    /// The newest snapshot. There is always one; before the first report it is empty.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// The memory, where there is one.
    pub store: Option<Store>,
    /// Where changes are streamed from as server-sent events; `None` lets pages ask again every few seconds.
    pub stream: Option<&'static str>,
}

/// All pages.
pub fn router(state: WebState) -> Router {
    Router::new()
        .route("/", get(overview))
        .route("/experiments/{stub}", get(experiment))
        .route("/pools", get(pools))
        .route("/sources", get(sources))
        .route("/holds", get(holds))
        .route("/outbox", get(outbox))
        .route("/lab", get(lab))
        .route("/lab/{pool}", get(lab_pool))
        .route("/assets/{name}", get(asset))
        .with_state(state)
}

/// Puts around everything that is served that a person who has lost the way gets a page; a program gets what it got.
pub fn with_lost_page(all: Router) -> Router {
    all.layer(from_fn(lost))
}

/// What one page is made from: a picture, and how the memory is, at one moment.
struct Moment {
    snapshot: Arc<Snapshot>,
    memory: Option<StoreHealth>,
    reader: Option<Reader>,
    private: bool,
    problems: usize,
    theme: Option<&'static str>,
    stream: Option<&'static str>,
    now: Timestamp,
}

impl Moment {
    fn of(state: &WebState, caller: &Caller, headers: &HeaderMap) -> Self {
        let snapshot = Arc::clone(&state.snapshots.borrow());
        Self {
            problems: view::experiments(&snapshot).filter(Experiment::is_problem).count(),
            snapshot,
            private: caller.may_see_private(),
            memory: state.store.as_ref().map(Store::health),
            reader: state.store.as_ref().map(Store::reader),
            theme: theme(headers),
            stream: state.stream,
            now: Timestamp::now(),
        }
    }

    fn frame(&self) -> Frame<'_> {
        Frame {
            snapshot: &self.snapshot,
            memory: self.memory.as_ref(),
            theme: self.theme,
            stream: self.stream,
            private: self.private,
            problems: self.problems,
            now: self.now,
        }
    }
}

async fn overview(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    query: Result<Query<Filter>, QueryRejection>,
) -> Response {
    let filter = query.map(|Query(filter)| filter).unwrap_or_default();
    let moment = Moment::of(&state, &caller, &headers);
    let rows = Rows::of(&moment.snapshot, &filter);
    let days = history::sketches(moment.reader.as_ref(), &rows, moment.now).await;
    let frame = moment.frame();
    let content = overview::page(&frame, &filter, &rows, &days);
    if filter.wall() { framed(layout::wall(&frame, &content)) } else { framed(layout::page(&frame, "/", "", &content)) }
}

async fn experiment(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    stub: Result<Path<String>, PathRejection>,
) -> Response {
    let moment = Moment::of(&state, &caller, &headers);
    let stub = stub.map(|Path(stub)| stub).unwrap_or_default();
    let Some(view) = moment.snapshot.experiment(&stub) else {
        return (
            StatusCode::NOT_FOUND,
            framed(layout::bare("There is no such experiment. It may have been forgotten, a day after it was last seen.")),
        )
            .into_response();
    };
    let past = history::past(moment.reader.as_ref(), view, moment.now).await;
    let frame = moment.frame();
    framed(layout::page(&frame, "", &stub, &experiment::page(&frame, &Experiment::of(&moment.snapshot, view), &past)))
}

async fn pools(State(state): State<WebState>, caller: Caller, headers: HeaderMap) -> Response {
    let moment = Moment::of(&state, &caller, &headers);
    let frame = moment.frame();
    framed(layout::page(&frame, "/pools", "Pools", &pools::page(&frame)))
}

async fn sources(State(state): State<WebState>, caller: Caller, headers: HeaderMap) -> Response {
    let moment = Moment::of(&state, &caller, &headers);
    let changes = match &moment.reader {
        Some(reader) => Some(history::sources(reader, moment.now).await),
        None => None,
    };
    let frame = moment.frame();
    framed(layout::page(&frame, "/sources", "Sources", &sources::page(&frame, changes.as_ref())))
}

async fn holds(State(state): State<WebState>, caller: Caller, headers: HeaderMap) -> Response {
    let moment = Moment::of(&state, &caller, &headers);
    let past = match &moment.reader {
        Some(reader) => Some(history::holds(reader, moment.now).await),
        None => None,
    };
    let frame = moment.frame();
    framed(layout::page(&frame, "/holds", "Holds", &holds::page(&frame, past.as_ref())))
}

async fn outbox(State(state): State<WebState>, caller: Caller, headers: HeaderMap) -> Response {
    let moment = Moment::of(&state, &caller, &headers);
    let rows = match &moment.reader {
        Some(reader) => Some(history::outbox(reader, moment.now).await),
        None => None,
    };
    let frame = moment.frame();
    framed(layout::page(&frame, "/outbox", "Outbox", &outbox::page(&frame, rows.as_ref())))
}

async fn lab(State(state): State<WebState>, caller: Caller, headers: HeaderMap) -> Response {
    let moment = Moment::of(&state, &caller, &headers);
    let frame = moment.frame();
    embeddable(layout::plain(&frame, "The lab", &pools::lab(&frame)))
}

async fn lab_pool(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    pool: Result<Path<String>, PathRejection>,
) -> Response {
    let moment = Moment::of(&state, &caller, &headers);
    let frame = moment.frame();
    let pool = pool.map(|Path(pool)| pool).unwrap_or_default();
    if let Some(content) = pools::lab_pool(&frame, &pool) {
        return embeddable(layout::plain(&frame, &pool, &content));
    }
    let content = html! { h1 { "Not found" } p { "The lab has nothing of this name. " a href="/lab" { "See what it has" } "." } };
    (StatusCode::NOT_FOUND, embeddable(layout::plain(&frame, "Not found", &content))).into_response()
}

async fn asset(name: Result<Path<String>, PathRejection>) -> Response {
    let found = name.ok().and_then(|Path(name)| assets::named(&name));
    let Some(asset) = found else { return StatusCode::NOT_FOUND.into_response() };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(asset.media)),
        (CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, asset.content.as_str()).into_response()
}

async fn lost(request: Request, next: Next) -> Response {
    let person = !request.uri().path().starts_with("/api/")
        && request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("text/html"));
    let response = next.run(request).await;
    let told = response.headers().contains_key(CONTENT_SECURITY_POLICY) && is_page(&response);
    if !person || told || response.status() != StatusCode::NOT_FOUND {
        return response;
    }
    (StatusCode::NOT_FOUND, framed(layout::bare("There is no such page."))).into_response()
}

fn is_page(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).is_some_and(|kind| kind.starts_with("text/html"))
}

/// A page that no other site may put into a frame.
fn framed(page: Markup) -> Response {
    answer(page, "'none'")
}

/// A page that any site may put into a frame.
fn embeddable(page: Markup) -> Response {
    answer(page, "*")
}

fn answer(page: Markup, ancestors: &str) -> Response {
    let policy = HeaderValue::try_from(format!("{POLICY} {ancestors}")).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, policy),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, page.0).into_response()
}

/// The theme that the reader chose, where they did.
fn theme(headers: &HeaderMap) -> Option<&'static str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|cookies| cookies.to_str().ok()).flat_map(|cookies| cookies.split("; "));
    let chosen = cookies.filter_map(|cookie| cookie.strip_prefix(THEME_COOKIE)).last()?;
    ["light", "dark"].into_iter().find(|theme| *theme == chosen)
}
