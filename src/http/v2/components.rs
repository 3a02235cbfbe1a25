//! Components: the parts of labwatch and outside services, now and in the past.

use std::cmp::Reverse;

use axum::extract::State;
use axum::http::Uri;
use serde::Serialize;
use utoipa::ToSchema;

use super::category_handle::Categories;
use super::page::{Page, PageParams, Paging};
use super::params::NoParams;
use super::records::{RangeParams, ranged};
use super::time::Timestamp;
use super::words::ComponentState;
use crate::health::{self, HealthSnapshot, PastResult};
use crate::http::auth::{Need, Viewer};
use crate::http::error::{ApiError, ApiResult, Reason};
use crate::http::json::answer;
use crate::http::named::Named;
use crate::http::routes::{Routes, routes};
use crate::store::Range;

/// The order of a result in the list: newest first, then by component; of one time in the order in
/// which they came.
type Key = (Reverse<jiff::Timestamp>, String, Reverse<usize>);

/// All routes.
pub(super) fn reading() -> Routes<Categories> {
    Routes::needing(Need::Read)
        .add(routes!(list_components))
        .add(routes!(component))
        .add(routes!(list_component_results))
}

/// A part of labwatch, such as its store, or an outside service.
#[derive(Debug, Serialize, ToSchema)]
struct Component {
    /// Its name.
    #[schema(example = "wiki")]
    name: String,
    /// Its state.
    state: ComponentState,
    /// What is wrong; empty where nothing is.
    detail: String,
    /// Since when this state lasts.
    since: Timestamp,
    /// When there was last evidence; null before the first.
    #[schema(required)]
    last_update: Option<Timestamp>,
    /// The categories in which an outside service counts; empty for a part of labwatch.
    categories: Vec<String>,
    /// Whether its failure makes labwatch as a whole unhealthy.
    fatal: bool,
    /// Whether a maintainer has acknowledged that it is bad; `/api/v2/acknowledgements` says who
    /// and why.
    acknowledged: bool,
}

/// A past state of a component.
#[derive(Debug, Serialize, ToSchema)]
struct ComponentResult {
    /// When it began.
    at: Timestamp,
    /// The component.
    #[schema(example = "wiki")]
    component: String,
    /// The state.
    state: ComponentState,
    /// What was wrong; empty where nothing was.
    detail: String,
}

impl Component {
    fn new(component: &health::Component, health: &HealthSnapshot) -> Self {
        Self {
            name: component.name.to_string(),
            state: component.state().into(),
            detail: component.detail().to_owned(),
            since: component.last_change.into(),
            last_update: component.last_update.map(Timestamp::from),
            categories: component.categories.to_vec(),
            fatal: health.is_fatal(component),
            acknowledged: health.acks.component(&component.name, health.at).is_some(),
        }
    }
}

impl ComponentResult {
    fn new(component: &health::Component, result: &PastResult) -> Self {
        Self {
            at: result.at.into(),
            component: component.name.to_string(),
            state: result.state.into(),
            detail: result.detail.clone(),
        }
    }
}

/// The parts of labwatch and the outside services.
#[utoipa::path(get, path = "/api/v2/components", tag = "health", params(PageParams), responses(
    (status = 200, description = "A page, by name", body = Page<Component>),
))]
async fn list_components(
    State(state): State<Categories>,
    Viewer(sight): Viewer,
    uri: Uri,
) -> ApiResult {
    let health = state.snapshot(sight);
    let all = health.components.iter();
    let all = all.map(|one| (one.name.to_string(), Component::new(one, &health)));
    Paging::asked(&uri)?.pick(&uri, all).answer(&uri)
}

/// One part of labwatch, or one outside service.
#[utoipa::path(get, path = "/api/v2/components/{name}", tag = "health",
    params(("name" = String, Path, min_length = 1, max_length = 256, description = "The component", example = "wiki")), responses(
    (status = 200, description = "The component", body = Component),
))]
async fn component(
    State(state): State<Categories>,
    Named(name): Named<String>,
    _: NoParams,
    Viewer(sight): Viewer,
) -> ApiResult {
    let health = state.snapshot(sight);
    let found = health.component(&name).ok_or_else(|| {
        ApiError::new(
            Reason::UnknownComponent,
            format!("component {name} was not found"),
        )
    })?;
    answer(&Component::new(found, &health))
}

/// Past states of components, newest first: the latest 60 changes of each are kept.
#[utoipa::path(get, path = "/api/v2/history/components", tag = "history", params(RangeParams, PageParams), responses(
    (status = 200, description = "A page, newest first", body = Page<ComponentResult>),
))]
async fn list_component_results(
    State(state): State<Categories>,
    Viewer(sight): Viewer,
    uri: Uri,
) -> ApiResult {
    let health = state.snapshot(sight);
    let (Range { from, until }, paging) = ranged::<Key>(health.at, &uri)?;
    let all = health.components.iter().flat_map(|component| {
        let results = component.results.iter().enumerate();
        results.map(move |(number, result)| {
            let name = component.name.to_string();
            let key = (Reverse(result.at), name, Reverse(number));
            ((from, until, key), component, result)
        })
    });
    let in_range = all.filter(|(_, _, one)| from <= one.at && one.at < until);
    let items =
        in_range.map(|(key, component, result)| (key, ComponentResult::new(component, result)));
    paging.pick(&uri, items).answer(&uri)
}
