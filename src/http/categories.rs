//! Categories: how they stand, and opening and closing them by a person's command. What that comes to is decided in `health`.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::commands::{Asked, Give, Given, Mode, Named, Outcome, mode, read, refused};
use super::error::{self, ApiError};
use super::health::HealthRoutes;
use super::routes::answer;
use crate::health::{Ack, CategoryOrder, CategoryStatus, Component, HealthState, standings};
use crate::http::auth::{Caller, Noted};
use engine::{Command, Impact, Receipt, Refusal};

/// The most failing members that a category lists.
const MAX_FAILING: usize = 100;

/// How categories stand, and the way by which people open and close them: one for the API and for the page.
#[derive(Clone)]
pub struct Categories {
    desk: HealthState,
    give: Arc<Give>,
}

impl std::fmt::Debug for Categories {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Categories")
    }
}

impl Categories {
    /// Of this health.
    #[must_use]
    pub fn new(health: &HealthRoutes) -> Self {
        Self {
            desk: health.desk.clone(),
            give: Arc::clone(&health.give),
        }
    }

    /// All categories, sorted by name.
    #[must_use]
    pub fn standings(&self) -> Vec<CategoryStatus> {
        standings(&self.desk.picture())
    }

    /// All outside services, sorted by name.
    #[must_use]
    pub fn services(&self) -> Vec<ServiceRow> {
        let picture = self.desk.picture();
        let services = picture.components.iter().filter(|one| one.is_service());
        let row = |component: &Component| ServiceRow {
            ack: picture.acks.component(&component.name, picture.at).cloned(),
            component: component.clone(),
        };
        services.map(row).collect()
    }

    /// What an order would do now, without doing it.
    ///
    /// # Errors
    /// As [`HealthState::preview`].
    pub fn preview(&self, order: &CategoryOrder) -> Result<Impact, Refusal> {
        self.desk.preview(order)
    }

    /// Does what is ordered. The engine notes who did it.
    ///
    /// # Errors
    /// As [`HealthState::preview`], and the engine's own: then nothing was changed.
    pub async fn order(&self, order: &CategoryOrder) -> Result<(Noted, Receipt), Refusal> {
        let mut effect = self.desk.preview(order)?;
        let command = Command::Category {
            name: order.category.clone(),
            open: order.open,
            reason: order.reason.clone(),
        };
        let receipt = (self.give)(command, order.by.clone()).await?;
        if !receipt.kept {
            effect.text += "; it is not on disk, so it holds only until the next start";
        }
        Ok((Noted::elsewhere(), Receipt { effect, ..receipt }))
    }
}

/// An outside service, as the page shows it.
#[derive(Debug, Clone)]
pub struct ServiceRow {
    /// How it is.
    pub component: Component,
    /// Its acknowledgement, while it holds.
    pub ack: Option<Ack>,
}

/// All paths.
pub(super) fn routes(health: &HealthRoutes) -> Router {
    Router::new()
        .route("/api/v1/categories", get(list))
        .route("/api/v1/categories/{name}/enable", post(enable))
        .route("/api/v1/categories/{name}/disable", post(disable))
        .with_state(Categories::new(health))
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
    /// Whether it can be used: it is open, and enough of what is in it works.
    ok: bool,
    /// Whether it is open.
    enabled: bool,
    /// The worst of what fails: 1 critical, 2 warning, 3 remark; 2 when nothing does.
    severity: u8,
    /// How many experiments and components are in it.
    members: usize,
    /// What makes it fail, the worst first; at most 100.
    #[schema(example = json!(["pend00"]))]
    failing: Vec<String>,
    /// Whether it works while enough experiments of each pool do.
    resilient: bool,
    /// How often it is judged, in seconds.
    period_seconds: u64,
    /// Whether a fault closes it until a person opens it.
    sticky: bool,
    /// After how many bad checks in a row.
    failure_threshold: u32,
    /// Whether the experiments that failed cannot be booked until then.
    sticky_booking: bool,
    /// The experiments that cannot be booked until it is opened.
    quarantined: Vec<String>,
    /// The last use of its switch; null when it never was used.
    #[schema(required = true)]
    switched: Option<Switched>,
}

/// Who opened or closed a category, when and why.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CategorySwitch)]
struct Switched {
    /// When.
    at: Timestamp,
    /// Who; `labwatch` for a fault, null for readers without a token.
    #[schema(required = true)]
    by: Option<String>,
    /// Why.
    reason: String,
}

/// Why a category is opened or closed.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CategoryReason)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    /// Why: one line.
    #[schema(example = "inspected")]
    reason: String,
}

impl Category {
    fn new(standing: CategoryStatus, private: bool) -> Self {
        let CategoryStatus {
            rules,
            ok,
            enabled,
            severity,
            members,
            mut failing,
            switch,
            quarantined,
        } = standing;
        failing.truncate(MAX_FAILING);
        Self {
            name: rules.name,
            ok,
            enabled,
            severity,
            members,
            failing,
            resilient: rules.resilient,
            period_seconds: rules.period.as_secs(),
            sticky: rules.sticky,
            failure_threshold: rules.failure_threshold,
            sticky_booking: rules.sticky_booking,
            quarantined,
            switched: switch.map(|switch| Switched {
                at: switch.at,
                by: private.then_some(switch.by),
                reason: switch.reason,
            }),
        }
    }
}

/// All categories, sorted by name.
#[utoipa::path(get, path = "/api/v1/categories", tag = "categories", responses(
    (status = 200, description = "Those that are configured, `default` and `system`, and one for each stem of other experiments", body = Vec<Category>),
    (status = 400, description = "There are no parameters here", body = ApiError),
    (status = 401, body = ApiError), (status = 403, body = ApiError), (status = 429, body = ApiError),
))]
pub(super) async fn list(
    State(state): State<Categories>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    if query.is_some_and(|query| !query.is_empty()) {
        return Err(error::malformed("this list takes no parameters"));
    }
    let private = caller.may_see_private();
    answer(
        &state
            .standings()
            .into_iter()
            .map(|standing| Category::new(standing, private))
            .collect::<Vec<_>>(),
    )
}

/// Opens a category that a fault or a person has closed.
#[utoipa::path(post, path = "/api/v1/categories/{name}/enable", tag = "categories", request_body = Reason,
    params(("name" = String, Path, description = "The category", example = "pendulums"), Mode),
    responses((status = 200, body = Outcome), (status = 400, body = ApiError), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, description = "There is no such category", body = ApiError), (status = 409, description = "It is open", body = ApiError))
)]
pub(super) async fn enable(
    State(state): State<Categories>,
    caller: Caller,
    name: Named,
    uri: Uri,
    asked: Asked,
    given: Given<Reason>,
) -> Result<Response, ApiError> {
    carry_out(&state, wanted(true, name, &uri, &caller, given)?, asked).await
}

/// Closes a category until a person opens it: good-to-go and health say that it cannot be used. Book is not changed.
#[utoipa::path(post, path = "/api/v1/categories/{name}/disable", tag = "categories", request_body = Reason,
    params(("name" = String, Path, description = "The category", example = "pendulums"), Mode),
    responses((status = 200, body = Outcome), (status = 400, body = ApiError), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, description = "There is no such category", body = ApiError), (status = 409, description = "It is closed", body = ApiError))
)]
pub(super) async fn disable(
    State(state): State<Categories>,
    caller: Caller,
    name: Named,
    uri: Uri,
    asked: Asked,
    given: Given<Reason>,
) -> Result<Response, ApiError> {
    carry_out(&state, wanted(false, name, &uri, &caller, given)?, asked).await
}

fn wanted(
    open: bool,
    name: Named,
    uri: &Uri,
    caller: &Caller,
    given: Given<Reason>,
) -> Result<CategoryOrder, ApiError> {
    let Path(category) = name.map_err(|_| error::no_such_path(uri))?;
    Ok(CategoryOrder {
        category,
        open,
        by: caller.name().to_owned(),
        reason: read(given)?.reason,
    })
}

async fn carry_out(
    state: &Categories,
    order: CategoryOrder,
    asked: Asked,
) -> Result<Response, ApiError> {
    if mode(asked)?.dry_run {
        let effect = state.preview(&order).map_err(refused)?;
        return Ok((Noted::elsewhere(), answer(&Outcome::would(effect))?).into_response());
    }
    let (noted, receipt) = state.order(&order).await.map_err(refused)?;
    Ok((noted, answer(&Outcome::did(receipt))?).into_response())
}
