//! Version 2 of the API: everything but the three routes of the old program.
//!
//! The present state is at `/api/v2/<things>` and `/api/v2/<things>/{name}`, the past at
//! `/api/v2/experiments/{name}/<what>` and `/api/v2/history/<what>`. All lists have the same form
//! of pages, every refusal is a problem with a reason, and an unknown parameter is an error, so
//! that a misspelt filter is not ignored.

mod availability;
mod badge;
mod body;
mod canary;
mod categories;
mod category_handle;
mod cluster;
mod components;
mod detail;
mod diff;
mod docs;
mod document;
mod history;
mod holds;
mod incidents;
mod json_cache;
mod lab;
mod lab_forms;
mod list;
mod live;
mod notifications;
mod outcome;
mod page;
mod params;
mod pools;
mod records;
mod reports;
mod routes;
mod schedule;
mod session;
mod stored;
mod stream;
mod summary;
mod suppression_forms;
mod suppressions;
mod time;
mod tokens;
mod words;

/// What `make` makes of each of these.
fn each<'a, T: 'a, U>(of: impl IntoIterator<Item = &'a T>, make: impl Fn(&'a T) -> U) -> Vec<U> {
    of.into_iter().map(make).collect()
}

pub use availability::{NoReport, ReportSource, ReportSourcing, Reports, report_routes};
pub use category_handle::{Categories, ServiceRow};
pub(super) use docs::routes as docs_routes;
pub use document::{DOCUMENT_V2_JSON, document_v2};
pub(super) use json_cache::JsonCache;
pub use live::{KEPT_CHANGES, LISTENERS_FOR_THIS_HOST, Live, MAX_LISTENERS, MAX_LISTENERS_OF_ONE};
pub(super) use routes::{access_routes, cluster_routes, command_routes, health_routes, reading};
pub(super) use stored::Past;
pub use stream::PING_EVERY;
