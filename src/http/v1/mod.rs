//! Version 1 of the API: the three routes of the program that labwatch replaces, which never
//! change. Everything else is version 2.

mod connection;
mod document;
mod event;
mod experiment;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use event::Event;
use experiment::Experiment;

use super::error::{self, ApiResult};
use super::json::{answer, json};
use super::named::Named;
use super::routes::{Routes, routes};
use super::served::Served;
use crate::http::auth::{Caller, Need};

pub use document::{DOCUMENT_JSON, document};

pub(super) fn routes() -> Routes<Arc<Served>> {
    let open = Routes::needing(Need::Always)
        .add_page(Method::GET, "/api/v1/openapi.json", json_document)
        .add_page(Method::GET, "/swagger.json", json_document_above)
        .add_page(Method::GET, "/api/v1/docs", docs);
    documented()
        // The old program answers with and without the slash.
        .add_page(Method::GET, "/api/v1/experiments/", experiments)
        .merge(open)
}

/// The routes that the document describes.
fn documented() -> Routes<Arc<Served>> {
    Routes::needing(Need::Read)
        .add(routes!(experiments))
        .add(routes!(events))
}

/// All experiments, sorted by name.
#[utoipa::path(
    get,
    path = "/api/v1/experiments",
    tag = "experiments",
    responses((status = 200, description = "All experiments; an empty list when there are none yet", body = Vec<Experiment<'static>>))
)]
async fn experiments(
    State(served): State<Arc<Served>>,
    caller: Caller,
    asked: HeaderMap,
) -> ApiResult {
    let (snapshot, private) = (served.snapshot(), caller.may_see_private());
    let shared = if private { &served.whole } else { &served.open };
    shared
        .answer(&asked, &snapshot, move |snapshot, writer| {
            let experiments = experiment::Experiments { snapshot, private };
            Ok(serde_json::to_writer(writer, &experiments)?)
        })
        .await
}

/// The events of an experiment, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/experiments/events/{name}",
    tag = "experiments",
    params(("name" = String, Path, description = "The experiment's `topic_name`", example = "pend00")),
    responses(
        (status = 200, description = "Its latest events, oldest first", body = Vec<Event<'static>>),
    )
)]
async fn events(State(served): State<Arc<Served>>, Named(name): Named<String>) -> ApiResult {
    let snapshot = served.snapshot();
    let experiment = snapshot
        .experiment(&name)
        .ok_or_else(|| error::no_such_experiment(&name))?;
    let events: Vec<_> = experiment
        .events
        .iter()
        .map(|event| Event::new(event))
        .collect();
    answer(&events)
}

/// The OpenAPI document of these paths.
async fn json_document() -> Response {
    json(Bytes::from_static(DOCUMENT_JSON.as_bytes()))
}

/// The same document at the old program's address, two levels above: the relative path in it is
/// right for the other address.
async fn json_document_above() -> Response {
    json(Bytes::from(DOCUMENT_JSON.replacen("\"../..\"", "\".\"", 1)))
}

/// The old program's address of the page that shows the document. Relative, because a proxy may
/// serve us below a path of its own.
async fn docs() -> Response {
    let there = HeaderValue::from_static("../v2/docs/");
    (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, there)]).into_response()
}
