//! Tokens that are no longer wanted: which are revoked, and revoking one more.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::authenticator::Authenticator;
use super::login::never_kept;
use super::{Caller, is_id};
use crate::http::error::{self, ApiError};
use crate::http::routes::answer;

/// How long an answer waits for the disk. It holds in any case; the answer says whether it is kept.
const KEEP_WITHIN: Duration = Duration::from_secs(5);

/// Something that is revoked.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct RevokedToken {
    /// The id of the token.
    #[schema(example = "9f86d081884c7d659a2feaa0")]
    id: String,
    /// Until when that is remembered: nothing with this id is valid for longer.
    until: Timestamp,
}

/// What came of revoking.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Revocation {
    /// The id of the token.
    id: String,
    /// Whether it is on disk. Where not, the token is refused only until the next start.
    kept: bool,
    /// Until when it is remembered.
    until: Timestamp,
}

/// What is revoked, by id.
#[utoipa::path(
    get,
    path = "/api/v1/tokens",
    tag = "access",
    responses((status = 200, description = "What is revoked", body = Vec<RevokedToken>), (status = 401, body = ApiError), (status = 403, body = ApiError))
)]
pub(in crate::http) async fn revoked(
    State(authenticator): State<Arc<Authenticator>>,
) -> Result<Response, ApiError> {
    let all: Vec<_> = authenticator
        .revocations
        .all()
        .into_iter()
        .map(|revoked| RevokedToken {
            id: revoked.id,
            until: revoked.until,
        })
        .collect();
    Ok(never_kept(answer(&all)?))
}

/// Revokes a token, and every session made from it. Revoking one that was never issued does no harm.
#[utoipa::path(
    delete,
    path = "/api/v1/tokens/{id}",
    tag = "access",
    params(("id" = String, Path, description = "The id of the token, as `labwatch token` told it", example = "9f86d081884c7d659a2feaa0")),
    responses(
        (status = 200, description = "It is revoked", body = Revocation),
        (status = 400, description = "This is no id", body = ApiError),
        (status = 401, body = ApiError),
        (status = 403, body = ApiError),
    )
)]
pub(in crate::http) async fn revoke(
    State(authenticator): State<Arc<Authenticator>>,
    caller: Caller,
    id: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let Path(id) = id.map_err(|_| error::no_such_path(&uri))?;
    if !is_id(&id) {
        return Err(error::malformed("this is not the id of a token"));
    }
    let (revoked, kept) = authenticator.revocations.revoke(&id, Timestamp::now());
    let noted = authenticator
        .audit
        .note(&caller, &format!("revoked the token {id}"));
    let kept = timeout(KEEP_WITHIN, kept).await.unwrap_or(false);
    if !kept {
        tracing::error!(
            id,
            "a token is revoked only until the next start, because the memory takes nothing: revoke it again later"
        );
    }
    Ok((
        noted,
        answer(&Revocation {
            id: revoked.id,
            kept,
            until: revoked.until,
        })?,
    )
        .into_response())
}
