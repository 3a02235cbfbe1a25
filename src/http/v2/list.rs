//! The list of experiments, with filters, in pages.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::Uri;

use super::page::{self, Page, PageParams, Paging};
use super::params::Params;
use super::summary::Line;
use super::words::{Bookable, Health};
use crate::health::{CategoryIndex, HealthState};
use crate::http::error::{ApiError, ApiResult, Reason};
use crate::http::json::{json, rendered};
use crate::http::served::Served;
use engine::model::Gather as _;
use engine::{ExperimentView, PoolView, Refusal, Snapshot};

/// The filters: an experiment must pass all of them.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it documents what `Filter` reads")]
pub(super) struct FilterParams {
    /// Only with this health; several values are separated by commas.
    #[param(style = Form, explode = false, max_items = 16)]
    state: Option<Vec<Health>>,
    /// Only with this bookability; several values are separated by commas.
    #[param(style = Form, explode = false, max_items = 16)]
    bookable: Option<Vec<Bookable>>,
    /// Only those of this pool.
    #[param(example = "pend")]
    pool: Option<String>,
    /// Only those of this category.
    #[param(example = "default")]
    category: Option<String>,
    /// Only with this text in their name, in a name of theirs in book, or in a pool's; ignoring
    /// case.
    #[param(example = "pend")]
    search: Option<String>,
}

/// The experiments: all of them, or those that pass every given filter.
#[utoipa::path(get, path = "/api/v2/experiments", tag = "experiments", params(FilterParams, PageParams), responses(
    (status = 200, description = "A page, by name", body = Page<Line<'static>>),
))]
pub(super) async fn list_experiments(State(served): State<Arc<Served>>, uri: Uri) -> ApiResult {
    let snapshot = served.snapshot();
    let allowed = [
        "state", "bookable", "pool", "category", "search", "limit", "cursor",
    ];
    let params = Params::parse_lists(uri.query(), &allowed, &["state", "bookable"])?;
    let filter = Filter::new(&params, &snapshot, served.health_state.as_ref())?;
    let paging = Paging::of(&params, &uri)?;
    let (body, next) = page(&served, &snapshot, &filter, (&uri, &paging))?;
    Ok(page::linked(json(body.into()), &uri, next.as_deref()))
}

/// The parsed filters.
struct Filter<'a> {
    states: Option<Vec<Health>>,
    bookable: Option<Vec<Bookable>>,
    pool: Option<&'a PoolView>,
    category: Option<BTreeSet<String>>,
    search: Option<String>,
}

impl<'a> Filter<'a> {
    fn new(
        params: &'a Params,
        snapshot: &'a Snapshot,
        health_state: Option<&HealthState>,
    ) -> ApiResult<Self> {
        let no_such = |name: &str| {
            ApiError::new(
                Reason::UnknownPool,
                format!("there is no pool {name:?}; /api/v2/pools lists them"),
            )
        };
        Ok(Self {
            states: params.words("state")?,
            bookable: params.words("bookable")?,
            pool: params
                .text("pool")
                .map(|name| snapshot.pool(name).ok_or_else(|| no_such(name)))
                .transpose()?,
            category: params
                .text("category")
                .map(|name| members(health_state, name))
                .transpose()?,
            search: params.text("search").map(str::to_lowercase),
        })
    }

    fn takes(&self, view: &ExperimentView) -> bool {
        let (states, bookable) = (self.states.as_ref(), self.bookable.as_ref());
        let (category, search) = (self.category.as_ref(), self.search.as_ref());
        let stub = &view.stub;
        states.is_none_or(|states| states.contains(&view.health.into()))
            && bookable.is_none_or(|bookable| bookable.contains(&view.bookable().into()))
            && (self.pool).is_none_or(|pool| pool.members.binary_search(stub).is_ok())
            && category.is_none_or(|members| members.contains(stub.as_str()))
            && search.is_none_or(|text| names(view).any(|of| of.to_lowercase().contains(text)))
    }
}

/// The names of the experiments of a category.
fn members(health_state: Option<&HealthState>, name: &str) -> ApiResult<BTreeSet<String>> {
    let unknown = || ApiError::from(Refusal::NoCategory(name.to_owned()));
    let health = health_state.ok_or_else(unknown)?.snapshot();
    let index = CategoryIndex::of(&health);
    let members = index.in_category(name).ok_or_else(unknown)?;
    Ok(members
        .into_iter()
        .filter(|member| !member.is_component())
        .map(|member| member.name.to_owned())
        .gather())
}

fn names(view: &ExperimentView) -> impl Iterator<Item = &str> {
    let resources = view.resources.iter().map(|resource| resource.name.as_str());
    resources
        .chain(view.pools.iter().map(|pool| &**pool))
        .chain([view.stub.as_str()])
}

/// A [`Page`] built from items in JSON, and its cursor.
fn page(
    served: &Served,
    snapshot: &Snapshot,
    filter: &Filter<'_>,
    (uri, paging): (&Uri, &Paging<String>),
) -> ApiResult<(Vec<u8>, Option<String>)> {
    let items = served.json_cache.of(&snapshot.experiments)?;
    let after = paging.after.as_deref();
    let from = after.map_or(0, |after| {
        let behind = |view: &Arc<ExperimentView>| view.stub.as_str() <= after;
        snapshot.experiments.partition_point(behind)
    });
    let mut fitting = snapshot
        .experiments
        .iter()
        .zip(items.iter())
        .skip(from)
        .filter(|(view, _)| filter.takes(view));
    let page: Vec<_> = fitting.by_ref().take(paging.limit).collect();
    let more = fitting.next().is_some();
    let last = page.last().filter(|_| more);
    let next = last.map(|(view, _)| page::encoded(uri, &view.stub.as_str()));
    let items: Vec<_> = page.into_iter().map(|(_, item)| item).collect();
    Ok((joined(&items, next.as_deref())?, next))
}

fn joined(items: &[&Bytes], next: Option<&str>) -> ApiResult<Vec<u8>> {
    let next = rendered(&next)?;
    let length = items.iter().map(|item| item.len() + 1).sum::<usize>();
    let mut body = Vec::with_capacity(length + next.len() + 20);
    body.extend_from_slice(b"{\"items\":[");
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(item);
    }
    body.extend_from_slice(b"],\"next\":");
    body.extend_from_slice(&next);
    body.push(b'}');
    Ok(body)
}
