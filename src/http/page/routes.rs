//! The addresses of the pages, and what every answer has in common: what a browser may do with it, and how long it may keep it.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, RawQuery, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use tokio::sync::watch;

use super::commands::{self, Said};
use super::filter::Filter;
use super::layout::{self, Frame};
use super::overview::{self, Rows};
use super::timeline::Span;
use super::view::{self, Experiment};
use super::{
    assets, categories, error_pages, experiment, history, holds, listing, login, outbox, pools,
    reports, sources, timeline, wall,
};
use crate::http::auth::{Caller, Need, Scope};
use crate::http::{Categories, OrderState, Reports, Routes};
use crate::store::{Reader, Store, StoreHealth};
use engine::Snapshot;
use engine::model::escape_deceptive;

/// What a page may do: load from here alone, run no script but ours, and make documents of text only where our own policy says so.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
                      base-uri 'none'; require-trusted-types-for 'script'; trusted-types labwatch; frame-ancestors";

/// The cookie that holds the reader's choice of a theme.
const THEME_COOKIE: &str = "labwatch-theme=";

/// What the pages are made from.
#[derive(Clone)]
pub struct WebState {
    /// The newest snapshot. There is always one; before the first report it is empty.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// The store, where there is one.
    pub store: Option<Store>,
    /// Where changes are streamed from as server-sent events; `None` lets pages ask again every few seconds.
    pub stream: Option<&'static str>,
    /// Takes the commands of maintainers; without it the pages only show.
    pub orders: Option<OrderState>,
    /// How categories stand, and the way to open and close them.
    pub categories: Option<Categories>,
    /// Makes reports.
    pub reports: Reports,
    /// The path below which people reach the pages, without a slash at its end: a proxy may serve us below one of its own.
    pub base: Arc<str>,
    /// What the installation is called.
    pub label: Arc<str>,
    /// The zone of times that are typed into forms, as it is set at the moment. It has a name.
    pub zone: Arc<dyn Fn() -> TimeZone + Send + Sync>,
}

impl std::fmt::Debug for WebState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebState")
    }
}

/// All pages.
#[must_use]
pub fn routes(state: &WebState) -> Routes {
    let get = Method::GET;
    let reading = Routes::needing(Need::Read)
        .add_page(get.clone(), "/", overview)
        .add_page(get.clone(), listing::PATH, experiments)
        .add_page(get.clone(), "/experiments/{stub}", experiment)
        .add_page(get.clone(), "/timeline", timeline)
        .add_page(get.clone(), "/pools", pools)
        .add_page(get.clone(), "/categories", categories)
        .add_page(get.clone(), "/sources", sources)
        .add_page(get.clone(), "/holds", holds)
        .add_page(get.clone(), "/outbox", outbox)
        .add_page(get.clone(), "/reports", reports);
    let students = Routes::needing(Need::Students)
        .add_page(get.clone(), "/lab", lab)
        .add_page(get.clone(), "/lab/{pool}", lab_pool);
    let always = Routes::needing(Need::Always)
        .add_page(get.clone(), "/login", login::page)
        .add_page(get.clone(), "/assets/{name}", asset)
        .add_page(get, "/favicon.ico", favicon);
    reading
        .merge(students)
        .merge(always)
        .merge(commands::routes(state))
        .with_state(state)
}

/// What one page is made from: a snapshot, and the state of the store, at one moment.
pub(super) struct Moment {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) caller: Caller,
    pub(super) now: Timestamp,
    takes_orders: bool,
    categories: Option<Categories>,
    memory: Option<StoreHealth>,
    reader: Option<Reader>,
    problems: usize,
    theme: Option<&'static str>,
    stream: Option<&'static str>,
    base: Arc<str>,
    label: Arc<str>,
}

impl Moment {
    pub(super) fn of(state: &WebState, caller: &Caller, headers: &HeaderMap) -> Self {
        let snapshot = Arc::clone(&state.snapshots.borrow());
        Self {
            problems: view::experiments(&snapshot)
                .filter(Experiment::needs_attention)
                .count(),
            snapshot,
            takes_orders: state.orders.is_some(),
            categories: state.categories.clone(),
            caller: caller.clone(),
            memory: state.store.as_ref().map(Store::health),
            reader: state.store.as_ref().map(Store::reader),
            theme: theme(headers),
            stream: state.stream,
            base: Arc::clone(&state.base),
            label: Arc::clone(&state.label),
            now: Timestamp::now(),
        }
    }

    /// A page that no other site may put into a frame.
    pub(super) fn framed(&self, page: Markup) -> Response {
        framed(&self.base, page)
    }

    /// A page that any site may put into a frame.
    fn embeddable(&self, page: Markup) -> Response {
        answer(&self.base, page, "*")
    }

    pub(super) fn frame(&self) -> Frame<'_> {
        Frame {
            snapshot: &self.snapshot,
            label: &self.label,
            memory: self.memory.as_ref(),
            theme: self.theme,
            stream: self.stream,
            categories: self.categories.as_ref(),
            caller: &self.caller,
            private: self.caller.may_see_private(),
            visibility: self.caller.visibility(),
            takes_orders: self.takes_orders,
            acts: self.takes_orders && self.caller.may(Scope::Admin),
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
    let frame = moment.frame();
    if filter.wall() {
        let content = wall::page(&frame, &filter, &rows);
        return moment.framed(layout::wall(&frame, &content));
    }
    let days = history::sketches(moment.reader.as_ref(), &rows, moment.now).await;
    let content = overview::page(&frame, &filter, &rows, &days);
    moment.framed(layout::page(&frame, "/", "", &content))
}

async fn experiments(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    query: Result<Query<Filter>, QueryRejection>,
) -> Response {
    let filter = query.map(|Query(filter)| filter).unwrap_or_default();
    let moment = Moment::of(&state, &caller, &headers);
    let frame = moment.frame();
    moment.framed(layout::page(
        &frame,
        listing::PATH,
        "Experiments",
        &listing::page(&frame, &filter),
    ))
}

async fn timeline(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let moment = Moment::of(&state, &caller, &headers);
    let query = query.unwrap_or_default();
    let span = url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "range")
        .map(|(_, range)| Span::named(&range))
        .unwrap_or_default();
    let kept = match &moment.reader {
        Some(reader) => Some(history::laboratory(reader, span.range(moment.now)).await),
        None => None,
    };
    let frame = moment.frame();
    moment.framed(layout::page(
        &frame,
        "/timeline",
        "Timeline",
        &timeline::page(&frame, span, kept.as_ref()),
    ))
}

async fn experiment(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    stub: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Response {
    let moment = Moment::of(&state, &caller, &headers);
    let stub = stub.map(|Path(stub)| stub).unwrap_or_default();
    let Some(view) = moment.snapshot.experiment(&stub) else {
        return (
            StatusCode::NOT_FOUND,
            moment.framed(error_pages::page(
                moment.theme,
                "Not found",
                "There is no experiment of this name. labwatch forgets an experiment a day after it was last seen.",
            )),
        )
            .into_response();
    };
    let past = history::past(moment.reader.as_ref(), view, moment.now).await;
    let usual = state.reports.usual();
    let frame = moment.frame();
    let content = experiment::page(
        &frame,
        &Experiment::of(&moment.snapshot, view),
        &past,
        &usual,
    );
    moment.framed(layout::page(
        &frame,
        "",
        &stub,
        &with_note(&frame, query.as_deref(), &content),
    ))
}

async fn pools(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let moment = Moment::of(&state, &caller, &headers);
    let frame = moment.frame();
    moment.framed(layout::page(
        &frame,
        "/pools",
        "Pools",
        &with_note(&frame, query.as_deref(), &pools::page(&frame)),
    ))
}

async fn categories(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let moment = Moment::of(&state, &caller, &headers);
    let frame = moment.frame();
    moment.framed(layout::page(
        &frame,
        "/pools",
        "Categories",
        &with_note(&frame, query.as_deref(), &categories::page(&frame)),
    ))
}

async fn sources(State(state): State<WebState>, caller: Caller, headers: HeaderMap) -> Response {
    let moment = Moment::of(&state, &caller, &headers);
    let changes = match &moment.reader {
        Some(reader) => Some(history::sources(reader, moment.now).await),
        None => None,
    };
    let frame = moment.frame();
    moment.framed(layout::page(
        &frame,
        "/sources",
        "Sources",
        &sources::page(&frame, changes.as_ref()),
    ))
}

async fn holds(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let moment = Moment::of(&state, &caller, &headers);
    let past = match &moment.reader {
        Some(reader) => Some(history::holds(reader, moment.now).await),
        None => None,
    };
    let frame = moment.frame();
    moment.framed(layout::page(
        &frame,
        "/holds",
        "Holds",
        &with_note(
            &frame,
            query.as_deref(),
            &holds::page(&frame, past.as_ref()),
        ),
    ))
}

/// A page, and above it the result of the command that led here.
fn with_note(frame: &Frame<'_>, query: Option<&str>, content: &Markup) -> Markup {
    let said = Said::of(query).filter(|_| frame.acts);
    html! { @if let Some(said) = said { (said.note(frame)) } (content) }
}

async fn outbox(State(state): State<WebState>, caller: Caller, headers: HeaderMap) -> Response {
    let moment = Moment::of(&state, &caller, &headers);
    let rows = match &moment.reader {
        Some(reader) => Some(history::outbox(reader, moment.now).await),
        None => None,
    };
    let frame = moment.frame();
    moment.framed(layout::page(
        &frame,
        "/outbox",
        "Outbox",
        &outbox::page(&frame, rows.as_ref()),
    ))
}

async fn reports(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let moment = Moment::of(&state, &caller, &headers);
    let query = query.unwrap_or_default();
    // `month` is the word of the command line.
    let asked = url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "period" || name == "month")
        .map(|(_, month)| month.into_owned());
    let report = state.reports.month(asked.as_deref(), moment.now).await;
    let months = state.reports.months(reports::MONTHS, moment.now);
    let content = reports::page(&moment.snapshot, &months, asked.as_deref(), &report);
    moment.framed(layout::still(
        &moment.frame(),
        "/reports",
        "Reports",
        &content,
    ))
}

async fn lab(State(state): State<WebState>, caller: Caller, headers: HeaderMap) -> Response {
    let moment = Moment::of(&state, &caller, &headers);
    let frame = moment.frame();
    moment.embeddable(layout::plain(&frame, "The lab", &pools::lab(&frame)))
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
        return moment.embeddable(layout::plain(&frame, &pools::title(&pool), &content));
    }
    let content = html! { h1 { "Not found" } p { "The lab has no pool of this name. " a href="/lab" { "All pools" } "." } };
    (
        StatusCode::NOT_FOUND,
        moment.embeddable(layout::plain(&frame, "Not found", &content)),
    )
        .into_response()
}

async fn asset(name: Result<Path<String>, PathRejection>) -> Response {
    let found = name.ok().and_then(|Path(name)| assets::named(&name));
    let Some(asset) = found else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(asset.media)),
        (
            CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=31536000, immutable"),
        ),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, asset.content.as_str()).into_response()
}

/// Browsers ask for it beside documents that name no icon.
async fn favicon() -> Response {
    let icon = assets::plain_icon();
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(icon.media)),
        (
            CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=86400"),
        ),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, icon.content.as_str()).into_response()
}

/// A page that no other site may put into a frame.
pub(super) fn framed(base: &str, page: Markup) -> Response {
    answer(base, page, "'none'")
}

#[expect(clippy::needless_pass_by_value, reason = "a page is answered once")]
fn answer(base: &str, page: Markup, ancestors: &str) -> Response {
    let policy = HeaderValue::try_from(format!("{POLICY} {ancestors}"))
        .unwrap_or(HeaderValue::from_static("default-src 'none'"));
    let headers = [
        (
            CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (CONTENT_SECURITY_POLICY, policy),
        (CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
        (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, below(base, escape_deceptive(&page.0).into_owned())).into_response()
}

/// A page whose links lead below `base`. In texts a quotation mark is written otherwise, so that only our own attributes are changed.
fn below(base: &str, page: String) -> String {
    if base.is_empty() {
        return page;
    }
    let attributes = ["href", "src", "action", "data-stream"];
    attributes.into_iter().fold(page, |page, name| {
        page.replace(&format!(" {name}=\"/"), &format!(" {name}=\"{base}/"))
    })
}

/// The theme that the reader chose, where they did.
pub(super) fn theme(headers: &HeaderMap) -> Option<&'static str> {
    let cookies = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split("; "));
    let chosen = cookies
        .filter_map(|cookie| cookie.strip_prefix(THEME_COOKIE))
        .last()?;
    ["light", "dark"].into_iter().find(|theme| *theme == chosen)
}
