//! All experiments, or those of them that are asked for, in pages where wanted.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::params::Params;
use super::summary::{self, Line};
use crate::health::{CategoryIndex, HealthState};
use crate::http::error::{self, ApiError};
use crate::http::routes::{Served, json};
use engine::model::{Bookable, Health};
use engine::{ExperimentView, PoolView, Snapshot};

/// The most experiments of one page.
const MAX_PAGE: usize = 50_000;

/// The words for an experiment's health.
const STATES: [(&str, Health); 5] = [
    ("ok", Health::Ok),
    ("degraded", Health::Degraded),
    ("flapping", Health::Flapping),
    ("down", Health::Down),
    ("unknown", Health::Unknown),
];

/// A list of experiments.
#[derive(Serialize, ToSchema)]
#[schema(as = Experiments)]
pub(super) struct Page {
    /// How many experiments fit what was asked for, on all pages together.
    #[schema(example = 1)]
    pub matching: usize,
    /// What `cursor` has to be for the next page; null when this is the last one.
    #[schema(required, value_type = Option<String>)]
    pub next: Option<Arc<str>>,
    /// The experiments, sorted by name.
    pub experiments: Vec<Line<'static>>,
}

/// The experiments, sorted by name: all of them, or those that fit every filter that is given.
#[utoipa::path(
    get,
    path = "/api/v2/experiments",
    tag = "experiments",
    params(
        ("state" = Option<String>, Query, description = "Only with this health: `ok`, `degraded`, `flapping`, `down`, `unknown`; several joined by commas",
            example = "down,degraded"),
        ("bookable" = Option<String>, Query, description = "Only those: `bookable`, `withdrawn`, `held`, `unknown`; several joined by commas",
            example = "held"),
        ("pool" = Option<String>, Query, description = "Only those of this pool", example = "pend"),
        ("category" = Option<String>, Query, description = "Only those of this category", example = "default"),
        ("search" = Option<String>, Query, description = "Only with this text in their name, in a name that they have in book, or in a pool's; \
            capitals do not matter", example = "pend"),
        ("limit" = Option<usize>, Query, description = "At most so many, from 1 to 50000", example = 100),
        ("cursor" = Option<String>, Query, description = "Only those behind this name: `next` of the page before", example = "pend09"),
    ),
    responses(
        (status = 200, description = "The experiments. The ETag changes only when one of them does", body = Page),
        (status = 304, description = "They are as `If-None-Match` knows them"),
        (status = 400, description = "A parameter is not known or not understood", body = ApiError),
    )
)]
pub(in crate::http) async fn experiments(
    State(served): State<Arc<Served>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let snapshot = served.snapshot();
    let params = Params::parse(
        query.as_deref(),
        &[
            "state", "bookable", "pool", "category", "search", "limit", "cursor",
        ],
    )?;
    let filter = Filter::new(&params, &snapshot, served.desk.as_ref())?;
    let limit = params.limit(MAX_PAGE)?;
    let tag = served.steady_tag(&snapshot);
    if tag.is_known(&headers) {
        return Ok(tag.unchanged());
    }
    let answer = if query.is_none_or(|query| query.is_empty()) {
        served
            .list
            .answer(&headers, &snapshot.experiments, |_| {
                whole(&served, &snapshot)
            })
            .await?
    } else {
        json(page(&served, &snapshot, &filter, limit.unwrap_or(usize::MAX))?.into())
    };
    Ok(tag.on(answer))
}

/// What is asked for.
struct Filter<'a> {
    states: Option<Vec<Health>>,
    bookable: Option<Vec<Option<Bookable>>>,
    pool: Option<&'a PoolView>,
    category: Option<BTreeSet<String>>,
    search: Option<String>,
    behind: Option<&'a str>,
}

impl<'a> Filter<'a> {
    fn new(
        params: &'a Params,
        snapshot: &'a Snapshot,
        desk: Option<&HealthState>,
    ) -> Result<Self, ApiError> {
        let no_such = |name: &str| {
            error::malformed(format!(
                "there is no pool {name:?}; /api/v2/pools lists them"
            ))
        };
        Ok(Self {
            states: params.words("state", &STATES)?,
            bookable: params.words("bookable", &summary::BOOKABLE)?,
            pool: params
                .text("pool")
                .map(|name| snapshot.pool(name).ok_or_else(|| no_such(name)))
                .transpose()?,
            category: params
                .text("category")
                .map(|name| members(desk, name))
                .transpose()?,
            search: params.text("search").map(str::to_lowercase),
            behind: params.text("cursor"),
        })
    }

    fn takes(&self, view: &ExperimentView) -> bool {
        self.states
            .as_ref()
            .is_none_or(|states| states.contains(&view.health))
            && self
                .bookable
                .as_ref()
                .is_none_or(|bookable| bookable.contains(&view.bookable()))
            && self
                .pool
                .is_none_or(|pool| pool.members.binary_search(&view.stub).is_ok())
            && self
                .category
                .as_ref()
                .is_none_or(|members| members.contains(view.stub.as_str()))
            && self
                .search
                .as_ref()
                .is_none_or(|text| names(view).any(|name| name.to_lowercase().contains(text)))
    }

    fn is_behind(&self, view: &ExperimentView) -> bool {
        self.behind.is_none_or(|behind| view.stub.as_str() > behind)
    }
}

/// The names of the experiments of a category.
fn members(desk: Option<&HealthState>, name: &str) -> Result<BTreeSet<String>, ApiError> {
    let Some(desk) = desk else {
        return Err(error::malformed("there are no categories here"));
    };
    let picture = desk.picture();
    let census = CategoryIndex::of(&picture);
    let unknown = || {
        error::malformed(format!(
            "there is no category {name:?}; there are: {}",
            census.categories().join(", ")
        ))
    };
    let members = census.in_category(name).ok_or_else(unknown)?;
    Ok(members
        .into_iter()
        .filter(|member| !member.is_component())
        .map(|member| member.name.to_owned())
        .collect())
}

fn names(view: &ExperimentView) -> impl Iterator<Item = &str> {
    let resources = view.resources.iter().map(|resource| resource.name.as_str());
    resources
        .chain(view.pools.iter().map(|pool| &**pool))
        .chain([view.stub.as_str()])
}

fn whole(served: &Served, snapshot: &Snapshot) -> Result<Vec<u8>, ApiError> {
    let items = served.sheets.of(&snapshot.experiments)?;
    joined(items.len(), None, items.iter())
}

fn page(
    served: &Served,
    snapshot: &Snapshot,
    filter: &Filter<'_>,
    limit: usize,
) -> Result<Vec<u8>, ApiError> {
    let items = served.sheets.of(&snapshot.experiments)?;
    let fitting: Vec<_> = snapshot
        .experiments
        .iter()
        .zip(items.iter())
        .filter(|(view, _)| filter.takes(view))
        .collect();
    let behind: Vec<_> = fitting
        .iter()
        .filter(|(view, _)| filter.is_behind(view))
        .collect();
    let page = behind.get(..limit.min(behind.len())).unwrap_or_default();
    let next = page
        .last()
        .filter(|_| page.len() < behind.len())
        .map(|(view, _)| view.stub.as_str());
    joined(fitting.len(), next, page.iter().map(|(_, item)| *item))
}

/// A [`Page`], put together from what is written already.
fn joined<'a>(
    matching: usize,
    next: Option<&str>,
    items: impl Iterator<Item = &'a Bytes> + Clone,
) -> Result<Vec<u8>, ApiError> {
    let next = String::from_utf8_lossy(&crate::http::routes::rendered(&next)?).into_owned();
    let head = format!("{{\"matching\":{matching},\"next\":{next},\"experiments\":[");
    let length = items.clone().map(|item| item.len() + 1).sum::<usize>() + head.len() + 2;
    let mut body = Vec::with_capacity(length);
    body.extend_from_slice(head.as_bytes());
    for (at, item) in items.enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(item);
    }
    body.extend_from_slice(b"]}");
    Ok(body)
}
