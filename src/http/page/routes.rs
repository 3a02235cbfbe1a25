//! The addresses of the pages, and what each is made from.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query, RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::http::request::Parts;
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
use super::response::{embeddable, framed, theme};
use super::timeline::Span;
use super::view::{self, Experiment};
use super::{
    assets, categories, error_pages, experiment, history, holds, listing, login, outbox, pools,
    reports, sources, timeline, wall,
};
use crate::cluster::View;
use crate::http::auth::{Caller, Need, Scope};
use crate::http::{Categories, OrderState, Reports, Routes};
use crate::store::{Reader, Store, StoreHealth};
use engine::Snapshot;

/// What the pages are made from.
#[derive(Clone)]
pub struct WebState {
    /// The newest snapshot. There is always one; before the first report it is empty.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// The store, where there is one.
    pub store: Option<Store>,
    /// The replicas, where there are several.
    pub cluster: Option<watch::Receiver<Arc<View>>>,
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
    /// What students read instead of a pool's name, where it has a title.
    pub title: Arc<pools::PoolTitle>,
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
    cluster: Option<Arc<View>>,
    reader: Option<Reader>,
    problems: usize,
    theme: Option<&'static str>,
    stream: Option<&'static str>,
    base: Arc<str>,
    label: Arc<str>,
}

/// The moment of a request: a handler takes it as an argument.
impl FromRequestParts<WebState> for Moment {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, Infallible> {
        let caller = Caller::from_request_parts(parts, state).await?;
        Ok(Self::of(state, caller, &parts.headers))
    }
}

impl Moment {
    fn of(state: &WebState, caller: Caller, headers: &HeaderMap) -> Self {
        let snapshot = Arc::clone(&state.snapshots.borrow());
        Self {
            problems: view::experiments(&snapshot)
                .filter(Experiment::needs_attention)
                .count(),
            snapshot,
            takes_orders: state.orders.is_some(),
            categories: state.categories.clone(),
            caller,
            memory: state.store.as_ref().map(Store::health),
            cluster: state.cluster.as_ref().map(|view| view.borrow().clone()),
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

    /// A page below this place of the navigation, that no other site may put into a frame.
    fn page(&self, place: &str, title: &str, content: &Markup) -> Response {
        self.framed(layout::page(&self.frame(), place, title, content))
    }

    /// The same, and above it the result of the command that led here.
    fn page_after(
        &self,
        query: Option<&str>,
        place: &str,
        title: &str,
        content: &Markup,
    ) -> Response {
        let frame = self.frame();
        let said = Said::of(query).filter(|_| frame.acts);
        let noted = html! { @if let Some(said) = said { (said.note(&frame)) } (content) };
        self.page(place, title, &noted)
    }

    /// What a question to the history comes to; `None` where none is kept.
    async fn kept<'a, T, F: Future<Output = T>>(
        &'a self,
        ask: impl FnOnce(&'a Reader) -> F,
    ) -> Option<T> {
        match &self.reader {
            Some(reader) => Some(ask(reader).await),
            None => None,
        }
    }

    /// A page that any site may put into a frame.
    fn embeddable(&self, page: Markup) -> Response {
        embeddable(&self.base, page)
    }

    pub(super) fn frame(&self) -> Frame<'_> {
        Frame {
            snapshot: &self.snapshot,
            label: &self.label,
            memory: self.memory.as_ref(),
            cluster: self.cluster.as_deref(),
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

async fn overview(moment: Moment, query: Result<Query<Filter>, QueryRejection>) -> Response {
    let filter = query.map(|Query(filter)| filter).unwrap_or_default();
    let rows = Rows::of(&moment.snapshot, &filter);
    let frame = moment.frame();
    if filter.wall() {
        let content = wall::page(&frame, &filter, &rows);
        return moment.framed(layout::wall(&frame, &content));
    }
    let days = history::sketches(moment.reader.as_ref(), &rows, moment.now).await;
    let content = overview::page(&frame, &filter, &rows, &days);
    moment.page("/", "", &content)
}

async fn experiments(moment: Moment, query: Result<Query<Filter>, QueryRejection>) -> Response {
    let filter = query.map(|Query(filter)| filter).unwrap_or_default();
    let frame = moment.frame();
    moment.page(
        listing::PATH,
        "Experiments",
        &listing::page(&frame, &filter),
    )
}

async fn timeline(moment: Moment, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let span = url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "range")
        .map(|(_, range)| Span::named(&range))
        .unwrap_or_default();
    let kept = moment
        .kept(|reader| history::laboratory(reader, span.range(moment.now)))
        .await;
    let frame = moment.frame();
    moment.page(
        "/timeline",
        "Timeline",
        &timeline::page(&frame, span, kept.as_ref()),
    )
}

async fn experiment(
    State(state): State<WebState>,
    moment: Moment,
    stub: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Response {
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
    moment.page_after(query.as_deref(), "", &stub, &content)
}

async fn pools(moment: Moment, RawQuery(query): RawQuery) -> Response {
    let frame = moment.frame();
    moment.page_after(query.as_deref(), "/pools", "Pools", &pools::page(&frame))
}

async fn categories(moment: Moment, RawQuery(query): RawQuery) -> Response {
    let frame = moment.frame();
    moment.page_after(
        query.as_deref(),
        "/pools",
        "Categories",
        &categories::page(&frame),
    )
}

async fn sources(moment: Moment) -> Response {
    let changes = moment
        .kept(|reader| history::sources(reader, moment.now))
        .await;
    let frame = moment.frame();
    moment.page(
        "/sources",
        "Sources",
        &sources::page(&frame, changes.as_ref()),
    )
}

async fn holds(moment: Moment, RawQuery(query): RawQuery) -> Response {
    let past = moment
        .kept(|reader| history::holds(reader, moment.now))
        .await;
    let frame = moment.frame();
    moment.page_after(
        query.as_deref(),
        "/holds",
        "Holds",
        &holds::page(&frame, past.as_ref()),
    )
}

async fn outbox(State(state): State<WebState>, moment: Moment) -> Response {
    let rows = moment
        .kept(|reader| history::outbox(reader, moment.now))
        .await;
    let frame = moment.frame();
    moment.page(
        "/outbox",
        "Outbox",
        &outbox::page(
            &frame,
            rows.as_ref(),
            &outbox::Tests::of(&state, frame.acts),
        ),
    )
}

async fn reports(
    State(state): State<WebState>,
    moment: Moment,
    RawQuery(query): RawQuery,
) -> Response {
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

async fn lab(State(state): State<WebState>, moment: Moment) -> Response {
    let frame = moment.frame();
    let kinds = pools::lab(&frame, &*state.title);
    moment.embeddable(layout::plain(&frame, "The lab", &kinds))
}

async fn lab_pool(
    State(state): State<WebState>,
    moment: Moment,
    pool: Result<Path<String>, PathRejection>,
) -> Response {
    let frame = moment.frame();
    let pool = pool.map(|Path(pool)| pool).unwrap_or_default();
    if let Some((title, content)) = pools::lab_pool(&frame, &pool, &*state.title) {
        return moment.embeddable(layout::plain(&frame, &title, &content));
    }
    let content = html! { h1 { "Not found" } p { "The lab has no pool of this name. " a href="/lab" { "All pools" } "." } };
    (
        StatusCode::NOT_FOUND,
        moment.embeddable(layout::plain(&frame, "Not found", &content)),
    )
        .into_response()
}

async fn asset(name: Result<Path<String>, PathRejection>) -> Response {
    match name.ok().and_then(|Path(name)| assets::named(&name)) {
        Some(asset) => file(asset, "public, max-age=31536000, immutable"),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Browsers ask for it beside documents that name no icon.
async fn favicon() -> Response {
    file(assets::plain_icon(), "public, max-age=86400")
}

fn file(asset: &'static assets::Asset, cache: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(asset.media)),
        (CACHE_CONTROL, HeaderValue::from_static(cache)),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, asset.content.as_str()).into_response()
}
