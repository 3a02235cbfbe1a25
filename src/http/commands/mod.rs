//! What maintainers tell labwatch to do: acknowledge, silence, plan maintenance, hold, enable. Each answers what it does; with
//! `?dry_run=true` it only says so. Whether something can be done is not said here.

mod answer;
mod body;
mod state;

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Json, Path, Query, RawQuery, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde::Deserialize;

use super::error::{self, ApiError};
use super::routes;
use crate::http::auth::{Caller, Noted};
use engine::model::{NameError, ResourceName};
use engine::{Command, NamePattern, Refusal, Scope, SuppressionId};

pub(super) use answer::{Outcome, QuietNote};
pub(super) use body::{AckText, Acknowledge, Hold, Maintain, Silence};
pub use state::{Answered, Give, OrderState};

/// All paths of commands.
pub(super) fn routes(state: OrderState) -> Router {
    Router::new()
        .route("/api/v2/quiet", get(list))
        .route("/api/v2/quiet/{id}", delete(remove))
        .route("/api/v2/acknowledgements", post(acknowledge))
        .route("/api/v2/silences", post(silence))
        .route("/api/v2/maintenance", post(maintain))
        .route("/api/v2/holds", post(hold))
        .route("/api/v2/holds/{resource}", delete(enable))
        .route(
            "/api/v1/experiments/{name}/ack",
            post(acknowledge_one).delete(unacknowledge_one),
        )
        .route(
            "/api/v1/components/{name}/ack",
            post(acknowledge_component).delete(unacknowledge_component),
        )
        .route(
            "/api/v1/ack",
            post(acknowledge_all).delete(unacknowledge_all),
        )
        .with_state(state)
}

/// How a command is meant.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Mode {
    /// Only say what it would do.
    #[serde(default)]
    pub(super) dry_run: bool,
}

pub(super) type Asked = Result<Query<Mode>, QueryRejection>;
pub(super) type Given<T> = Result<Json<T>, JsonRejection>;
pub(super) type Named = Result<Path<String>, PathRejection>;

/// Everything that keeps messages quiet: acknowledgements, silences, maintenance.
#[utoipa::path(get, path = "/api/v2/quiet", tag = "quiet", responses(
    (status = 200, description = "In the order in which they are listed", body = Vec<QuietNote>),
    (status = 400, description = "A parameter that is not known", body = ApiError),
    (status = 401, body = ApiError), (status = 403, body = ApiError), (status = 429, body = ApiError), (status = 503, body = ApiError),
))]
pub(super) async fn list(
    State(state): State<OrderState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    if query.is_some_and(|query| !query.is_empty()) {
        return Err(error::malformed("this list takes no parameters"));
    }
    let snapshot = Arc::clone(&state.snapshots.borrow());
    let private = caller.may_see_private();
    routes::answer(
        &snapshot
            .notes
            .iter()
            .map(|note| QuietNote::new(note, private))
            .collect::<Vec<_>>(),
    )
}

/// Ends an acknowledgement, a silence or maintenance before its time.
#[utoipa::path(
    delete, path = "/api/v2/quiet/{id}", tag = "quiet", params(("id" = u64, Path, description = "Its number, as `/api/v2/quiet` tells it"), Mode),
    responses((status = 200, body = Outcome), (status = 400, body = ApiError), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, description = "It has ended, or never was", body = ApiError), (status = 409, body = ApiError), (status = 503, body = ApiError))
)]
pub(super) async fn remove(
    State(state): State<OrderState>,
    caller: Caller,
    id: Result<Path<u64>, PathRejection>,
    mode: Asked,
) -> Result<Response, ApiError> {
    let Path(id) =
        id.map_err(|_| error::malformed("the number is not a number: /api/v2/quiet lists them"))?;
    carry_out(
        &state,
        &caller,
        Command::Remove {
            id: SuppressionId(id),
        },
        mode,
    )
    .await
}

/// Acknowledges what is bad: no message about it until it is well again or gets worse. Book and the judgement are not affected.
#[utoipa::path(
    post, path = "/api/v2/acknowledgements", tag = "quiet", request_body = Acknowledge, params(Mode),
    responses((status = 200, body = Outcome), (status = 400, body = ApiError), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, body = ApiError), (status = 409, description = "Nothing of it is bad, or it is acknowledged already", body = ApiError),
        (status = 503, body = ApiError))
)]
pub(super) async fn acknowledge(
    State(state): State<OrderState>,
    caller: Caller,
    mode: Asked,
    given: Given<Acknowledge>,
) -> Result<Response, ApiError> {
    carry_out(&state, &caller, read(given)?.command()?, mode).await
}

/// Acknowledges one experiment.
#[utoipa::path(
    post, path = "/api/v1/experiments/{name}/ack", tag = "quiet", request_body = AckText, params(("name" = String, Path, description = "The experiment", example = "pend00"), Mode),
    responses((status = 200, body = Outcome), (status = 400, body = ApiError), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, body = ApiError), (status = 409, body = ApiError), (status = 503, body = ApiError))
)]
pub(super) async fn acknowledge_one(
    State(state): State<OrderState>,
    caller: Caller,
    name: Named,
    uri: Uri,
    mode: Asked,
    given: Given<AckText>,
) -> Result<Response, ApiError> {
    let scope = one(&state, name, &uri)?;
    carry_out(&state, &caller, read(given)?.command(scope), mode).await
}

/// Takes the acknowledgement of one experiment back.
#[utoipa::path(
    delete, path = "/api/v1/experiments/{name}/ack", tag = "quiet", params(("name" = String, Path, description = "The experiment", example = "pend00"), Mode),
    responses((status = 200, body = Outcome), (status = 400, body = ApiError), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, body = ApiError), (status = 409, body = ApiError), (status = 503, body = ApiError))
)]
pub(super) async fn unacknowledge_one(
    State(state): State<OrderState>,
    caller: Caller,
    name: Named,
    uri: Uri,
    mode: Asked,
) -> Result<Response, ApiError> {
    let scope = one(&state, name, &uri)?;
    carry_out(&state, &caller, Command::Unacknowledge { scope }, mode).await
}

/// Acknowledges one component, such as relay, jump, book or an outside service.
#[utoipa::path(
    post, path = "/api/v1/components/{name}/ack", tag = "quiet", request_body = AckText, params(("name" = String, Path, description = "The component", example = "relay"), Mode),
    responses((status = 200, body = Outcome), (status = 400, body = ApiError), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, body = ApiError), (status = 409, body = ApiError), (status = 503, body = ApiError))
)]
pub(super) async fn acknowledge_component(
    State(state): State<OrderState>,
    caller: Caller,
    name: Named,
    uri: Uri,
    mode: Asked,
    given: Given<AckText>,
) -> Result<Response, ApiError> {
    let scope = component(name, &uri)?;
    carry_out(&state, &caller, read(given)?.command(scope), mode).await
}

/// Takes the acknowledgement of one component back.
#[utoipa::path(
    delete, path = "/api/v1/components/{name}/ack", tag = "quiet", params(("name" = String, Path, description = "The component", example = "relay"), Mode),
    responses((status = 200, body = Outcome), (status = 400, body = ApiError), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, body = ApiError), (status = 409, body = ApiError), (status = 503, body = ApiError))
)]
pub(super) async fn unacknowledge_component(
    State(state): State<OrderState>,
    caller: Caller,
    name: Named,
    uri: Uri,
    mode: Asked,
) -> Result<Response, ApiError> {
    carry_out(
        &state,
        &caller,
        Command::Unacknowledge {
            scope: component(name, &uri)?,
        },
        mode,
    )
    .await
}

/// Acknowledges the whole laboratory: it is moved today, say.
#[utoipa::path(
    post, path = "/api/v1/ack", tag = "quiet", request_body = AckText, params(Mode),
    responses((status = 200, body = Outcome), (status = 400, body = ApiError), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 409, body = ApiError), (status = 503, body = ApiError))
)]
pub(super) async fn acknowledge_all(
    State(state): State<OrderState>,
    caller: Caller,
    mode: Asked,
    given: Given<AckText>,
) -> Result<Response, ApiError> {
    carry_out(
        &state,
        &caller,
        read(given)?.command(Scope::Installation),
        mode,
    )
    .await
}

/// Takes the acknowledgement of the whole laboratory back.
#[utoipa::path(
    delete, path = "/api/v1/ack", tag = "quiet", params(Mode),
    responses((status = 200, body = Outcome), (status = 400, body = ApiError), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, body = ApiError), (status = 409, body = ApiError), (status = 503, body = ApiError))
)]
pub(super) async fn unacknowledge_all(
    State(state): State<OrderState>,
    caller: Caller,
    mode: Asked,
) -> Result<Response, ApiError> {
    carry_out(
        &state,
        &caller,
        Command::Unacknowledge {
            scope: Scope::Installation,
        },
        mode,
    )
    .await
}

/// Keeps messages about some experiments quiet for a while.
#[utoipa::path(
    post, path = "/api/v2/silences", tag = "quiet", request_body = Silence, params(Mode),
    responses((status = 200, body = Outcome), (status = 400, body = ApiError), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 409, body = ApiError), (status = 503, body = ApiError))
)]
pub(super) async fn silence(
    State(state): State<OrderState>,
    caller: Caller,
    mode: Asked,
    given: Given<Silence>,
) -> Result<Response, ApiError> {
    carry_out(&state, &caller, read(given)?.command()?, mode).await
}

/// Plans maintenance: once, or every week by the clock of a time zone.
#[utoipa::path(
    post, path = "/api/v2/maintenance", tag = "quiet", request_body = Maintain, params(Mode),
    responses((status = 200, body = Outcome), (status = 400, body = ApiError), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 409, body = ApiError), (status = 503, body = ApiError))
)]
pub(super) async fn maintain(
    State(state): State<OrderState>,
    caller: Caller,
    mode: Asked,
    given: Given<Maintain>,
) -> Result<Response, ApiError> {
    carry_out(&state, &caller, read(given)?.command()?, mode).await
}

/// Holds a resource in book: it cannot be booked or started until somebody lets it go. Students read the reason.
#[utoipa::path(
    post, path = "/api/v2/holds", tag = "commands", request_body = Hold, params(Mode),
    responses((status = 200, body = Outcome), (status = 400, body = ApiError), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, description = "Book lists no such resource", body = ApiError), (status = 409, body = ApiError), (status = 503, body = ApiError))
)]
pub(super) async fn hold(
    State(state): State<OrderState>,
    caller: Caller,
    mode: Asked,
    given: Given<Hold>,
) -> Result<Response, ApiError> {
    carry_out(&state, &caller, read(given)?.command()?, mode).await
}

/// Lets go of a person's hold: labwatch judges the resource again.
#[utoipa::path(
    delete, path = "/api/v2/holds/{resource}", tag = "commands", params(("resource" = String, Path, description = "Book's name of it", example = "r-pend00"), Mode),
    responses((status = 200, body = Outcome), (status = 400, body = ApiError), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, body = ApiError), (status = 409, description = "No person holds it", body = ApiError), (status = 503, body = ApiError))
)]
pub(super) async fn enable(
    State(state): State<OrderState>,
    caller: Caller,
    resource: Named,
    uri: Uri,
    mode: Asked,
) -> Result<Response, ApiError> {
    let Path(resource) = resource.map_err(|_| error::no_such_path(&uri))?;
    let resource = ResourceName::try_new(&resource)
        .map_err(|why| error::malformed(format!("the resource: {why}")))?;
    carry_out(&state, &caller, Command::Enable { resource }, mode).await
}

/// One experiment, which must be known: a pattern is no name here.
fn one(state: &OrderState, name: Named, uri: &Uri) -> Result<Scope, ApiError> {
    let Path(name) = name.map_err(|_| error::no_such_path(uri))?;
    let known = state.snapshots.borrow().experiment(&name).is_some();
    if !known || name.contains(['*', '?']) {
        return Err(error::no_such_experiment(&name));
    }
    pattern(&name).map(Scope::Experiments)
}

/// The scope of one component. Which there are is seen when it is carried out.
fn component(name: Named, uri: &Uri) -> Result<Scope, ApiError> {
    name.map(|Path(name)| Scope::Component(name))
        .map_err(|_| error::no_such_path(uri))
}

fn pattern(text: &str) -> Result<NamePattern, ApiError> {
    NamePattern::try_new(text)
        .map_err(|why: NameError| error::malformed(format!("experiments: {why}")))
}

pub(super) fn read<T>(given: Given<T>) -> Result<T, ApiError> {
    given
        .map(|Json(body)| body)
        .map_err(|why| match why.status() {
            StatusCode::PAYLOAD_TOO_LARGE => error::of_status(StatusCode::PAYLOAD_TOO_LARGE),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => error::no_json(),
            _ => error::malformed(why.body_text()),
        })
}

pub(super) fn mode(asked: Asked) -> Result<Mode, ApiError> {
    asked
        .map(|Query(mode)| mode)
        .map_err(|why| error::malformed(why.body_text()))
}

async fn carry_out(
    state: &OrderState,
    caller: &Caller,
    command: Command,
    asked: Asked,
) -> Result<Response, ApiError> {
    let by = caller.name().to_owned();
    if mode(asked)?.dry_run {
        let effect = state.preview(&command, &by).map_err(refused)?;
        return Ok((Noted::elsewhere(), routes::answer(&Outcome::would(effect))?).into_response());
    }
    let receipt = state.give(command, by).await.map_err(refused)?;
    Ok((Noted::elsewhere(), routes::answer(&Outcome::did(receipt))?).into_response())
}

/// A refusal as an answer: its words are the engine's.
pub(super) fn refused(why: Refusal) -> ApiError {
    use engine::Refused;
    match &why {
        Refusal::NoExperiment(_)
        | Refusal::NoPool(_)
        | Refusal::NoResource(_)
        | Refusal::NoCategory(_)
        | Refusal::NoComponent(_)
        | Refusal::ActiveSuppressions(Refused::NotFound(_)) => error::unknown(why.to_string()),
        Refusal::ActiveSuppressions(
            Refused::NotBad { .. } | Refused::AlreadyAcknowledged { .. },
        )
        | Refusal::Follower
        | Refusal::NotAcknowledged(_)
        | Refusal::NothingBad { .. }
        | Refusal::ComponentIsWell(_)
        | Refusal::HeldAlready(_)
        | Refusal::Bookable(_)
        | Refusal::Quarantined { .. }
        | Refusal::CategoryAlready { .. }
        | Refusal::Ours { .. } => error::conflict(why),
        Refusal::ActiveSuppressions(_) | Refusal::OurPrefix => error::malformed(why),
        Refusal::Busy | Refusal::Stopping | Refusal::NotRead(_) => error::unavailable(why),
    }
}
