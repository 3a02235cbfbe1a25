//! The routes of the pages and their handlers.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::html;

use super::filter::Filter;
use super::moment::Moment;
use super::overview::{self, Rows};
use super::timeline::{self, Span};
use super::view::Experiment;
use super::web_state::WebState;
use super::{
    assets, categories, commands, error_pages, experiment, history, holds, layout, listing, login,
    outbox, pools, reports, sources, wall,
};
use crate::http::Routes;
use crate::http::auth::Need;

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
    let content = listing::page(&frame, &filter);
    moment.page(listing::PATH, "Experiments", &content)
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
    let content = timeline::page(&frame, span, kept.as_ref());
    moment.page("/timeline", "Timeline", &content)
}

async fn experiment(
    State(state): State<WebState>,
    moment: Moment,
    stub: Result<Path<String>, PathRejection>,
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
    let experiment = Experiment::of(&moment.snapshot, view);
    let content = experiment::page(&frame, &experiment, &past, &usual);
    moment.page_after("", &stub, &content)
}

async fn pools(moment: Moment) -> Response {
    let frame = moment.frame();
    moment.page_after("/pools", "Pools", &pools::page(&frame))
}

async fn categories(moment: Moment) -> Response {
    let frame = moment.frame();
    moment.page_after("/pools", "Categories", &categories::page(&frame))
}

async fn sources(moment: Moment) -> Response {
    let changes = moment
        .kept(|reader| history::sources(reader, moment.now))
        .await;
    let frame = moment.frame();
    let content = sources::page(&frame, changes.as_ref());
    moment.page("/sources", "Sources", &content)
}

async fn holds(moment: Moment) -> Response {
    let past = moment
        .kept(|reader| history::holds(reader, moment.now))
        .await;
    let frame = moment.frame();
    moment.page_after("/holds", "Holds", &holds::page(&frame, past.as_ref()))
}

async fn outbox(State(state): State<WebState>, moment: Moment) -> Response {
    let rows = moment
        .kept(|reader| history::outbox(reader, moment.now))
        .await;
    let frame = moment.frame();
    let tests = outbox::Tests::of(&state, frame.acts);
    let content = outbox::page(&frame, rows.as_ref(), &tests);
    moment.page("/outbox", "Outbox", &content)
}

async fn reports(
    State(state): State<WebState>,
    moment: Moment,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    // `month` is the name that the command line uses.
    let asked = url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "period" || name == "month")
        .map(|(_, month)| month.into_owned());
    let report = state.reports.month(asked.as_deref(), moment.now).await;
    let months = state.reports.months(reports::MONTHS, moment.now);
    let content = reports::page(&moment.snapshot, &months, asked.as_deref(), &report);
    moment.still("/reports", "Reports", &content)
}

async fn lab(State(state): State<WebState>, moment: Moment) -> Response {
    let frame = moment.frame();
    let kinds = pools::lab(&frame, &*state.title);
    moment.embeddable("The lab", &kinds)
}

async fn lab_pool(
    State(state): State<WebState>,
    moment: Moment,
    pool: Result<Path<String>, PathRejection>,
) -> Response {
    let frame = moment.frame();
    let pool = pool.map(|Path(pool)| pool).unwrap_or_default();
    if let Some((title, content)) = pools::lab_pool(&frame, &pool, &*state.title) {
        return moment.embeddable(&title, &content);
    }
    let content = html! { h1 { "Not found" } p { "The lab has no pool of this name. " a href="/lab" { "All pools" } "." } };
    (
        StatusCode::NOT_FOUND,
        moment.embeddable("Not found", &content),
    )
        .into_response()
}

async fn asset(name: Result<Path<String>, PathRejection>) -> Response {
    match name.ok().and_then(|Path(name)| assets::named(&name)) {
        Some(asset) => file(asset, "public, max-age=31536000, immutable"),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Browsers request it for documents that name no icon.
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
