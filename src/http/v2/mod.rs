//! Version 2 of the API: everything that can be read. Version 1 stays as the program that labwatch replaces had it.
//!
//! What is now stands at `/api/v2/<things>` and `/api/v2/<things>/{name}`, what was at `/api/v2/experiments/{name}/<what>` and
//! `/api/v2/history/<what>`. Lists that only change with experiments have an ETag. An unknown parameter is an error, so that a misspelt
//! filter is not taken for none.

mod badge;
mod detail;
mod diff;
mod docs;
mod document;
mod history;
mod incidents;
mod json_cache;
mod lab;
mod list;
mod live;
mod params;
mod pools;
mod records;
mod reports;
mod stored;
mod stream;
mod summary;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;

use super::routes::Served;

pub use document::{DOCUMENT_V2_JSON, document_v2};
pub(super) use json_cache::Sheets;
pub use live::{KEPT_CHANGES, LISTENERS_FOR_THIS_HOST, Live, MAX_LISTENERS, MAX_LISTENERS_OF_ONE};
pub use reports::{NoReport, ReportSource, ReportSourcing, Reports, report_routes};
pub(super) use stored::Past;
pub use stream::PING_EVERY;

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// All paths of version 2, and the badges.
pub(super) fn routes() -> Router<Arc<Served>> {
    Router::new()
        .route("/api/v2/lab", get(lab::lab))
        .route("/api/v2/pools", get(pools::pools))
        .route("/api/v2/pools/{name}", get(pools::pool))
        .route("/api/v2/sources", get(lab::sources))
        .route("/api/v2/holds", get(pools::holds))
        .route("/api/v2/stream", get(stream::stream))
        .route("/api/v2/experiments", get(list::experiments))
        .route("/api/v2/experiments/{name}", get(detail::experiment))
        .route("/api/v2/experiments/{name}/events", get(history::events))
        .route("/api/v2/experiments/{name}/uptime", get(history::uptime))
        .route(
            "/api/v2/experiments/{name}/incidents",
            get(history::incidents),
        )
        .route(
            "/api/v2/experiments/{name}/switches",
            get(history::switches),
        )
        .route("/api/v2/history/incidents", get(incidents::incidents))
        .route("/api/v2/history/switches", get(records::switches))
        .route("/api/v2/history/sources", get(records::sources))
        .route("/api/v2/history/holds", get(records::holds))
        .route("/api/v2/history/gaps", get(records::gaps))
        .route("/api/v2/history/outbox", get(records::outbox))
        .route("/badge/{file}", get(badge::badge))
        .route("/api/v2/openapi.json", get(docs::document))
        .route("/api/v2/docs", get(docs::page))
        .route("/api/v2/docs.css", get(docs::style))
        .route("/api/v1/docs", get(docs::page_of_v1))
}
