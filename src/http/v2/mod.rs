//! Version 2 of the API: everything but the three routes of the old program.
//!
//! What is now stands at `/api/v2/<things>` and `/api/v2/<things>/{name}`, what was at `/api/v2/experiments/{name}/<what>` and
//! `/api/v2/history/<what>`. Every list has pages of one form, every refusal is a problem with a reason, and an unknown parameter is an error, so
//! that a misspelt filter is not taken for none.

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
mod list;
mod live;
mod notifications;
mod outcome;
mod page;
mod params;
mod pools;
mod records;
mod reports;
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

use std::sync::Arc;
use std::time::Duration;

use axum::middleware::from_fn_with_state;
use utoipa_axum::routes;

use super::authenticator::Authenticator;
use super::commands::OrderState;
use super::health_state::HealthRoutes;
use super::idempotency::{self, Idempotency};
use super::routes::Routes;
use super::state::Served;
use crate::http::auth::Need;

pub use availability::{NoReport, ReportSource, ReportSourcing, Reports, report_routes};
pub use category_handle::{Categories, ServiceRow};
pub use document::{DOCUMENT_V2_JSON, document_v2};
pub(super) use json_cache::Sheets;
pub use live::{KEPT_CHANGES, LISTENERS_FOR_THIS_HOST, Live, MAX_LISTENERS, MAX_LISTENERS_OF_ONE};
pub(super) use stored::Past;
pub use stream::PING_EVERY;

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// The routes that read the laboratory, and the document.
pub(super) fn routes() -> Routes<Arc<Served>> {
    reading().merge(docs::routes())
}

/// The routes that read the laboratory as it is and as it was.
fn reading() -> Routes<Arc<Served>> {
    Routes::needing(Need::Read)
        .add(routes!(lab::lab))
        .add(routes!(lab::list_sources))
        .add(routes!(pools::list_pools))
        .add(routes!(pools::pool))
        .add(routes!(stream::stream))
        .add(routes!(list::list_experiments))
        .add(routes!(detail::experiment))
        .add(routes!(history::list_events))
        .add(routes!(history::uptime))
        .add(routes!(history::list_incidents))
        .add(routes!(history::list_switches))
        .add(routes!(incidents::list_incidents))
        .add(routes!(records::list_switches))
        .add(routes!(records::list_source_changes))
        .add(routes!(records::list_past_holds))
        .add(routes!(records::list_gaps))
        .add(routes!(records::list_notifications))
        .add(routes!(badge::badge))
        .merge(holds::reading())
}

/// The routes of tokens and sessions.
pub(super) fn access_routes() -> Routes<Arc<Authenticator>> {
    tokens::routes().merge(session::routes())
}

/// The routes of the cluster.
pub(super) fn cluster_routes() -> Routes<cluster::MaybeCluster> {
    cluster::reading().merge(cluster::changing())
}

/// The routes of commands to the engine.
pub(super) fn command_routes(orders: &OrderState, kept: &Arc<Idempotency>) -> Routes {
    let changing = suppressions::changing().merge(holds::changing());
    suppressions::reading()
        .merge(safe_to_repeat(changing, kept))
        .merge(notifications::routes())
        .with_state(orders)
}

/// The routes of categories, of components and of reports that come in.
pub(super) fn health_routes(health: &HealthRoutes, kept: &Arc<Idempotency>) -> Routes {
    let state = Categories::new(health);
    let categories = categories::reading().merge(safe_to_repeat(categories::changing(), kept));
    let reports = reports::reading().merge(safe_to_repeat(reports::reporting(), kept));
    categories
        .merge(components::reading())
        .with_state(&state)
        .merge(reports.with_state(&health.into()))
}

/// Routes whose `POST` can be sent again with the same `Idempotency-Key`.
fn safe_to_repeat<S: Clone + Send + Sync + 'static>(
    routes: Routes<S>,
    kept: &Arc<Idempotency>,
) -> Routes<S> {
    routes.around(|handlers| {
        handlers.route_layer(from_fn_with_state(Arc::clone(kept), idempotency::once))
    })
}
