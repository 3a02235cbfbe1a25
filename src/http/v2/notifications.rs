//! Notifications: test messages, and immediate retries of pending ones. The history lists sent
//! ones.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Json;
use super::outcome::{DryRun, IdempotencyKey, is_dry_run};
use super::params::NoParams;
use super::time::Timestamp;
use super::words::TestState;
use crate::http::auth::{Caller, Need, Noted, Scope};
use crate::http::commands::{OrderState, TestOutcome, TestedRecipient, TestedRoute};
use crate::http::error::ApiResult;
use crate::http::json::answer;
use crate::http::routes::{Routes, routes};

/// All routes.
pub(super) fn routes() -> Routes<OrderState> {
    Routes::needing(Need::Scope(Scope::Admin))
        .add(routes!(send_test))
        .add(routes!(retry_notifications))
}

/// A test message to be sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SendTest {
    /// The route to test; null for all.
    #[serde(default)]
    #[schema(example = "everybody", max_length = 64)]
    route: Option<String>,
}

/// A test message and its outcomes so far.
#[derive(Debug, Serialize, ToSchema)]
struct TestMessage {
    /// Whether it was sent: `false` for a dry run.
    sent: bool,
    /// When; null for a dry run.
    #[schema(required)]
    at: Option<Timestamp>,
    /// The routes that are tested.
    routes: Vec<RouteTest>,
}

/// A route and the outcomes of its test.
#[derive(Debug, Serialize, ToSchema)]
struct RouteTest {
    /// Its name.
    #[schema(example = "everybody")]
    route: String,
    /// Its channel.
    #[schema(example = "mail")]
    channel: &'static str,
    /// Its recipients.
    recipients: Vec<RecipientTest>,
}

/// A recipient and its outcome.
#[derive(Debug, Serialize, ToSchema)]
struct RecipientTest {
    /// The mail address, or the address of a program.
    #[schema(example = "ann@example.org")]
    recipient: String,
    /// The outcome.
    state: TestState,
    /// Why it was not accepted, with the other side's answer; null where it was, or where that is
    /// not known.
    #[schema(required)]
    problem: Option<String>,
}

/// The retry of pending notifications.
#[derive(Debug, Serialize, ToSchema)]
struct Retrying {
    /// The routes with pending notifications after a failed attempt.
    routes: Vec<String>,
}

impl From<&TestedRoute> for RouteTest {
    fn from(tested: &TestedRoute) -> Self {
        Self {
            route: tested.route.as_str().to_owned(),
            channel: tested.channel.as_str(),
            recipients: tested.recipients.iter().map(Into::into).collect(),
        }
    }
}

impl From<&TestedRecipient> for RecipientTest {
    fn from(tested: &TestedRecipient) -> Self {
        let problem = match &tested.outcome {
            TestOutcome::Failed(why) => Some(why.clone()),
            TestOutcome::Pending | TestOutcome::Taken => None,
        };
        Self {
            recipient: tested.recipient.clone(),
            state: (&tested.outcome).into(),
            problem,
        }
    }
}

/// Sends a message that is marked as a test, and reports the outcome for each recipient. After
/// success, pending notifications of that route are retried.
///
/// An outcome that is not known within 20 s is `pending`: the test goes on, and the page of the
/// outbox shows its outcome.
#[utoipa::path(post, path = "/api/v2/notifications/test", tag = "notifications", request_body = SendTest, params(DryRun, IdempotencyKey), responses(
    (status = 200, description = "The outcome, or the recipients of a dry run", body = TestMessage),
))]
async fn send_test(
    State(state): State<OrderState>,
    caller: Caller,
    RawQuery(query): RawQuery,
    Json(body): Json<SendTest>,
) -> ApiResult {
    let dry_run = is_dry_run(query.as_deref())?;
    let snapshot = Arc::clone(&state.snapshots.borrow());
    let route = body.route.as_deref();
    let message = if dry_run {
        let routes = state.tests.preview(&snapshot, route)?;
        TestMessage {
            sent: false,
            at: None,
            routes: routes.iter().map(Into::into).collect(),
        }
    } else {
        let report = state.tests.send(&snapshot, route, caller.name()).await?;
        TestMessage {
            sent: true,
            at: Some(report.at.into()),
            routes: report.routes.iter().map(Into::into).collect(),
        }
    };
    Ok((Noted::elsewhere(), answer(&message)?).into_response())
}

/// Retries at once the notifications and the monthly report that are pending after a failed
/// attempt.
#[utoipa::path(post, path = "/api/v2/notifications/retry", tag = "notifications", params(IdempotencyKey), responses(
    (status = 200, description = "They are", body = Retrying),
))]
async fn retry_notifications(State(state): State<OrderState>, _: NoParams) -> ApiResult {
    let snapshot = Arc::clone(&state.snapshots.borrow());
    let routes = state.tests.retry(&snapshot).await?;
    let retrying = Retrying {
        routes: routes.iter().map(ToString::to_string).collect(),
    };
    answer(&retrying)
}
