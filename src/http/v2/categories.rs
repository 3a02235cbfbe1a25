//! Categories: their status, and commands to close and open them. A category that is closed has a
//! closure.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Uri};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Json;
use super::category_handle::Categories;
use super::outcome::{
    self, Done, DryRun, IdempotencyKey, IfMatch, Made, Outcome, Would, is_dry_run,
};
use super::page::{Page, PageParams, Paging};
use super::params::{NoParams, Params};
use super::time::Timestamp;
use crate::health::{CategoryOrder, CategoryStatus};
use crate::http::auth::{Caller, Need, Scope, Viewer};
use crate::http::error::{ApiError, ApiResult, Reason};
use crate::http::json::answer;
use crate::http::named::Named;
use crate::http::routes::{Routes, routes};
use engine::Refusal;
use engine::model::Visibility;

/// The most failing members that a category lists.
const MAX_FAILING: usize = 100;

/// All routes that read.
pub(super) fn reading() -> Routes<Categories> {
    Routes::needing(Need::Read)
        .add(routes!(list_categories))
        .add(routes!(category))
        .add(routes!(closure))
}

/// All routes that change something.
pub(super) fn changing() -> Routes<Categories> {
    Routes::needing(Need::Scope(Scope::Admin)).add(routes!(close_category, open_category))
}

/// A named set of experiments and components with a rule for what makes it fail.
#[derive(Debug, Serialize, ToSchema)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a field of the answer"
)]
pub(super) struct Category {
    /// Its name.
    #[schema(example = "pendulums")]
    name: String,
    /// Whether it can be used: it is open, and enough of its members work.
    ok: bool,
    /// Whether it is open.
    enabled: bool,
    /// The worst severity of what fails: 1 critical, 2 warning, 3 remark; 2 when nothing does.
    severity: u8,
    /// How many experiments and components are in it.
    members: usize,
    /// What makes it fail, the worst first; at most 100.
    #[schema(example = json!(["pend00"]))]
    failing: Vec<String>,
    /// Whether it works while enough experiments of each pool do.
    resilient: bool,
    /// How often it is evaluated, in seconds.
    period_seconds: u64,
    /// Whether a fault closes it until a person opens it.
    sticky: bool,
    /// After this many bad checks in a row.
    failure_threshold: u32,
    /// Whether the experiments that failed cannot be booked until then.
    sticky_booking: bool,
    /// The experiments that cannot be booked until it is opened.
    quarantined: Vec<String>,
    /// The last time it was opened or closed; null for never.
    #[schema(required = true)]
    switched: Option<Switched>,
}

/// The last time a category was opened or closed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CategorySwitch)]
struct Switched {
    /// When.
    at: Timestamp,
    /// The name of the token, or `labwatch` for a fault; null for readers without a token.
    #[schema(required)]
    by: Option<String>,
    /// Why; null for readers without a token.
    #[schema(required)]
    reason: Option<String>,
}

/// The closure of a category.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Closure)]
struct Closure {
    /// The category.
    #[schema(example = "pendulums")]
    category: String,
    /// Since when.
    since: Timestamp,
    /// The name of the token, or `labwatch` for a fault; null for readers without a token.
    #[schema(required)]
    by: Option<String>,
    /// Why; null for readers without a token.
    #[schema(required)]
    reason: Option<String>,
    /// The experiments that stay withdrawn while it lasts.
    quarantined: Vec<String>,
}

/// A category to be closed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CloseCategory {
    /// Why: one line.
    #[schema(example = "exam", min_length = 1, max_length = 500)]
    reason: String,
}

/// Why a category is opened.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it documents what `open_category` reads")]
struct OpenReason {
    /// Why: one line.
    #[param(example = "inspected", min_length = 1, max_length = 500)]
    reason: String,
}

impl Category {
    fn new(status: CategoryStatus, sight: Visibility) -> Self {
        let rules = status.rules;
        let mut failing = status.failing;
        failing.truncate(MAX_FAILING);
        Self {
            name: rules.name,
            ok: status.ok,
            enabled: status.enabled,
            severity: status.severity,
            members: status.members,
            failing,
            resilient: rules.resilient,
            period_seconds: rules.period.as_secs(),
            sticky: rules.sticky,
            failure_threshold: rules.failure_threshold,
            sticky_booking: rules.sticky_booking,
            quarantined: status.quarantined,
            switched: status.switch.map(|switch| Switched {
                at: switch.at.into(),
                by: sight.is_full().then_some(switch.by),
                reason: sight.is_full().then_some(switch.reason),
            }),
        }
    }
}

impl Closure {
    /// The closure of a category; `None` where it is open.
    fn of(status: CategoryStatus, sight: Visibility) -> Option<Self> {
        let switch = status.switch.filter(|switch| !switch.enabled)?;
        Some(Self {
            category: status.rules.name,
            since: switch.at.into(),
            by: sight.is_full().then_some(switch.by),
            reason: sight.is_full().then_some(switch.reason),
            quarantined: status.quarantined,
        })
    }
}

/// All categories.
#[utoipa::path(get, path = "/api/v2/categories", tag = "categories", params(PageParams), responses(
    (status = 200, description = "A page, by name: those of the configuration, `default` and `system`, and one for each stem of other experiments", body = Page<Category>),
))]
async fn list_categories(
    State(state): State<Categories>,
    Viewer(sight): Viewer,
    uri: Uri,
) -> ApiResult {
    let all = state.category_statuses().into_iter();
    let all = all.map(|it| (it.rules.name.clone(), Category::new(it, sight)));
    Paging::asked(&uri)?.pick(&uri, all).answer(&uri)
}

/// One category.
#[utoipa::path(get, path = "/api/v2/categories/{name}", tag = "categories",
    params(("name" = String, Path, min_length = 1, max_length = 256, description = "The category", example = "pendulums")), responses(
    (status = 200, description = "The category", body = Category),
))]
async fn category(
    State(state): State<Categories>,
    Named(name): Named<String>,
    _: NoParams,
    Viewer(sight): Viewer,
) -> ApiResult {
    answer(&Category::new(find(&state, name)?, sight))
}

/// The closure of a category.
#[utoipa::path(get, path = "/api/v2/categories/{name}/closure", tag = "categories",
    params(("name" = String, Path, min_length = 1, max_length = 256, description = "The category", example = "pendulums")), responses(
    (status = 200, description = "Since when and why. 404 where it is open", body = Closure),
))]
async fn closure(
    State(state): State<Categories>,
    Named(name): Named<String>,
    _: NoParams,
    Viewer(sight): Viewer,
) -> ApiResult {
    let closure = Closure::of(find(&state, name)?, sight);
    answer(&closure.ok_or_else(|| ApiError::new(Reason::NotFound, "the category is open"))?)
}

/// Closes a category until a person opens it: good-to-go and health report that it cannot be used.
/// Book is not changed.
#[utoipa::path(post, path = "/api/v2/categories/{name}/closure", tag = "categories", request_body = CloseCategory,
    params(("name" = String, Path, min_length = 1, max_length = 256, description = "The category", example = "pendulums"), DryRun, IdempotencyKey), responses(
    (status = 200, response = Would),
    (status = 201, response = Made),
))]
async fn close_category(
    State(state): State<Categories>,
    caller: Caller,
    Named(name): Named<String>,
    RawQuery(query): RawQuery,
    uri: Uri,
    Json(body): Json<CloseCategory>,
) -> ApiResult {
    let dry_run = is_dry_run(query.as_deref())?;
    let category = find(&state, name)?.rules.name;
    let order = CategoryOrder {
        category,
        open: false,
        by: caller.name().to_owned(),
        reason: body.reason,
    };
    carry_out(&state, &order, dry_run)
        .await?
        .made_at(uri.path())
}

/// Opens a category that a fault or a person has closed.
#[utoipa::path(delete, path = "/api/v2/categories/{name}/closure", tag = "categories",
    params(("name" = String, Path, min_length = 1, max_length = 256, description = "The category", example = "pendulums"), OpenReason, DryRun, IfMatch), responses(
    (status = 200, response = Done),
))]
async fn open_category(
    State(state): State<Categories>,
    caller: Caller,
    Named(name): Named<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> ApiResult {
    let params = Params::parse(query.as_deref(), &["reason", "dry_run"])?;
    let (dry_run, reason) = (params.flag("dry_run")?, params.text("reason"));
    let reason = reason.ok_or_else(|| {
        ApiError::new(
            Reason::InvalidParameter,
            "say why, with the parameter reason",
        )
    })?;
    let status = find(&state, name)?;
    let category = status.rules.name.clone();
    if let Some(closure) = Closure::of(status, caller.visibility()) {
        outcome::check(&headers, &closure)?;
    }
    let order = CategoryOrder {
        category,
        open: true,
        by: caller.name().to_owned(),
        reason: reason.to_owned(),
    };
    carry_out(&state, &order, dry_run).await?.ended()
}

async fn carry_out(state: &Categories, order: &CategoryOrder, dry_run: bool) -> ApiResult<Outcome> {
    if dry_run {
        return Ok(Outcome::would(state.preview(order)?));
    }
    Ok(Outcome::did(state.order(order).await?))
}

/// The category named by a path.
fn find(state: &Categories, name: String) -> ApiResult<CategoryStatus> {
    let status = state.status(&name);
    status.ok_or_else(|| Refusal::NoCategory(name).into())
}
