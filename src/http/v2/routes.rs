//! The routes of version 2, by the state that they need.

use std::sync::Arc;

use axum::middleware::from_fn_with_state;

use super::category_handle::Categories;
use super::{
    badge, categories, cluster, components, detail, history, holds, incidents, lab, list,
    notifications, pools, records, reports, session, stream, suppressions, tokens,
};
use crate::http::auth::Need;
use crate::http::auth::authenticator::Authenticator;
use crate::http::commands::OrderState;
use crate::http::health_state::HealthRoutes;
use crate::http::idempotency::{self, Idempotency};
use crate::http::routes::{Routes, routes};
use crate::http::served::Served;

/// The routes that read the laboratory, now and in the past.
pub(in crate::http) fn reading() -> Routes<Arc<Served>> {
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
pub(in crate::http) fn access_routes() -> Routes<Arc<Authenticator>> {
    tokens::routes().merge(session::routes())
}

/// The routes of the cluster.
pub(in crate::http) fn cluster_routes(kept: &Arc<Idempotency>) -> Routes<cluster::MaybeCluster> {
    cluster::reading().merge(safe_to_repeat(cluster::changing(), kept))
}

/// The routes of commands to the engine.
pub(in crate::http) fn command_routes(orders: &OrderState, kept: &Arc<Idempotency>) -> Routes {
    let changing = suppressions::changing()
        .merge(holds::changing())
        .merge(notifications::routes());
    suppressions::reading()
        .merge(safe_to_repeat(changing, kept))
        .with_state(orders)
}

/// The routes of categories, components and incoming reports.
pub(in crate::http) fn health_routes(health: &HealthRoutes, kept: &Arc<Idempotency>) -> Routes {
    let state = Categories::new(health);
    let categories = categories::reading().merge(safe_to_repeat(categories::changing(), kept));
    let reports = reports::reading().merge(safe_to_repeat(reports::reporting(), kept));
    categories
        .merge(components::reading())
        .with_state(&state)
        .merge(reports.with_state(&health.into()))
}

/// Routes whose `POST` can be repeated with the same `Idempotency-Key`.
fn safe_to_repeat<S: Clone + Send + Sync + 'static>(
    routes: Routes<S>,
    kept: &Arc<Idempotency>,
) -> Routes<S> {
    routes.around(|handlers| {
        handlers.route_layer(from_fn_with_state(Arc::clone(kept), idempotency::once))
    })
}
