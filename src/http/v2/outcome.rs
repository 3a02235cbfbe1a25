//! The effect of a command or of its dry run, and the answer to it.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::LOCATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::{ToResponse, ToSchema};

use super::each;
use super::params::Params;
use super::summary::Bookings;
use crate::http::auth::{Caller, Noted};
use crate::http::commands::OrderState;
use crate::http::error::{ApiError, ApiResult, Reason};
use crate::http::etag::Tag;
use crate::http::json::{answer, rendered};
use engine::model::Visibility;
use engine::{Command, Impact, Receipt, Snapshot};

/// The mode of a command.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it documents what `is_dry_run` reads")]
pub(super) struct DryRun {
    /// `true`: only report what it would do.
    #[param(default = false)]
    dry_run: Option<bool>,
}

/// The header that makes it safe to repeat a request.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it documents what the layer of idempotency reads")]
pub(super) struct IdempotencyKey {
    /// A text of your choice, such as a UUID. Repeated with the same key within a day, the same
    /// request gets the same answer and is not carried out again; another request is refused with
    /// 422.
    #[param(
        rename = "Idempotency-Key",
        nullable = false,
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]+$"
    )]
    key: Option<String>,
}

/// The version that is to be changed.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it documents what `check` reads")]
pub(super) struct IfMatch {
    /// The `ETag` of what is to be changed, from `GET`: if it has changed since, nothing is done
    /// and the answer is 412.
    #[param(rename = "If-Match", nullable = false)]
    tag: Option<String>,
}

/// The effect of a command or of its dry run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Effect)]
pub(super) struct Outcome {
    /// Whether it was done; `false` for a dry run.
    done: bool,
    /// Whether it survives a restart: `false` for a dry run, and while the store cannot be
    /// written; then send it again later.
    kept: bool,
    /// The ids of what was created or ended.
    ids: Vec<u64>,
    /// The effect, as text.
    #[schema(
        example = "no notification about pend00 until it is ok again; 2 bookings of the next 24 h cannot start"
    )]
    effect: String,
    /// The experiments that it concerns now.
    experiments: Vec<String>,
    /// The bookings that cannot start because of it, or can again.
    #[schema(required)]
    bookings: Option<Bookings>,
}

/// The answer to a command that creates something.
#[derive(ToResponse)]
#[response(
    description = "The effect",
    headers(("Location" = String, description = "The path of what was created; for several items, that of their list"))
)]
#[expect(dead_code, reason = "it documents what `made` answers")]
pub(super) struct Made(Outcome);

/// The answer to a dry run.
#[derive(ToResponse)]
#[response(description = "The effect of a dry run")]
#[expect(dead_code, reason = "it documents what `made` answers")]
pub(super) struct Would(Outcome);

/// The answer to a command that ends something.
#[derive(ToResponse)]
#[response(description = "The effect")]
#[expect(dead_code, reason = "it documents what `ended` answers")]
pub(super) struct Done(Outcome);

impl Outcome {
    pub(super) fn did(receipt: Receipt) -> Self {
        let ids = receipt.ids.iter().map(|id| id.0).collect();
        Self {
            done: true,
            kept: receipt.kept,
            ids,
            ..Self::would(receipt.effect)
        }
    }

    pub(super) fn would(effect: Impact) -> Self {
        let experiments = each(&effect.stubs, |stub| stub.as_str().to_owned());
        Self {
            done: false,
            kept: false,
            ids: Vec::new(),
            effect: effect.text,
            experiments,
            bookings: effect.affected.map(Bookings::new),
        }
    }

    /// The answer to a command that ended something, or its dry run.
    pub(super) fn ended(self) -> ApiResult {
        Ok((Noted::elsewhere(), answer(&self)?).into_response())
    }

    /// The answer to a command that created something below `list`, or its dry run. A single item
    /// has an address of its own; several are found in the list.
    pub(super) fn made(self, list: &str) -> ApiResult {
        let place = match self.ids.as_slice() {
            [one] => format!("{list}/{one}"),
            _ => list.to_owned(),
        };
        self.made_at(&place)
    }

    /// The answer to a command that created something at `place`, or its dry run.
    pub(super) fn made_at(self, place: &str) -> ApiResult {
        if !self.done {
            return self.ended();
        }
        let mut response = (StatusCode::CREATED, self.ended()?).into_response();
        if let Ok(place) = HeaderValue::from_str(place) {
            response.headers_mut().insert(LOCATION, place);
        }
        Ok(response)
    }
}

/// Whether a request is a dry run. Accepts no other parameter.
pub(super) fn is_dry_run(query: Option<&str>) -> ApiResult<bool> {
    Params::parse(query, &["dry_run"])?.flag("dry_run")
}

/// The way of a command of this caller, who may only want to know what it would do.
pub(super) struct Commanding {
    state: OrderState,
    caller: Caller,
    dry_run: bool,
}

impl FromRequestParts<OrderState> for Commanding {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &OrderState) -> ApiResult<Self> {
        Ok(Self {
            state: state.clone(),
            caller: parts.extensions.get().cloned().unwrap_or_default(),
            dry_run: is_dry_run(parts.uri.query())?,
        })
    }
}

impl Commanding {
    /// The newest snapshot.
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.state.snapshots.borrow())
    }

    /// What the caller may see.
    pub(super) fn visibility(&self) -> Visibility {
        self.caller.visibility()
    }

    /// Carries out a command, or its dry run.
    pub(super) async fn carry_out(self, command: Command) -> ApiResult<Outcome> {
        let by = self.caller.name();
        if self.dry_run {
            return Ok(Outcome::would(self.state.preview(&command, by)?));
        }
        let given = self.state.give(command, by.to_owned());
        Ok(Outcome::did(given.await?))
    }
}

/// Checks `If-Match`, if the request has it. `shown` is the answer to `GET`.
pub(super) fn check(asked: &HeaderMap, shown: &impl Serialize) -> ApiResult<()> {
    let tag = Tag::of(&rendered(shown)?);
    if tag.is_wanted(asked) {
        return Ok(());
    }
    Err(ApiError::new(
        Reason::PreconditionFailed,
        "it is not as If-Match says any more: read it again, and then decide",
    ))
}
