//! Tokens: lists and extends the revoked ones. Only `labwatch token` makes tokens: one made by
//! another token would survive that token's revocation.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::Uri;
use axum::response::IntoResponse;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::page::{Page, PageParams, Paging};
use super::params::Params;
use super::time::Timestamp;
use crate::http::auth::authenticator::Authenticator;
use crate::http::auth::login::never_kept;
use crate::http::auth::{Caller, Need, Revoked, Scope, is_id};
use crate::http::error::{ApiError, ApiResult, Reason};
use crate::http::json::answer;
use crate::http::named::Named;
use crate::http::routes::{Routes, routes};

/// How long an answer waits for the disk. The revocation takes effect in any case; the answer says
/// whether it is stored.
const KEEP_WITHIN: Duration = Duration::from_secs(5);

/// All routes.
pub(super) fn routes() -> Routes<Arc<Authenticator>> {
    Routes::needing(Need::Scope(Scope::Admin))
        .add(routes!(list_tokens))
        .add(routes!(token, revoke_token))
}

/// A revoked token, or a browser's session.
#[derive(Debug, Serialize, ToSchema)]
struct RevokedToken {
    /// Its id.
    #[schema(example = "9f86d081884c7d659a2feaa0")]
    id: String,
    /// Until when this is kept: nothing with this id is valid for longer.
    until: Timestamp,
}

/// The outcome of a revocation.
#[derive(Debug, Serialize, ToSchema)]
struct Revocation {
    /// The id of the token.
    #[schema(example = "9f86d081884c7d659a2feaa0")]
    id: String,
    /// Whether it is on disk. If not, the token is refused only until the next start.
    kept: bool,
    /// Until when it is kept.
    until: Timestamp,
}

impl From<Revoked> for RevokedToken {
    fn from(revoked: Revoked) -> Self {
        Self {
            id: revoked.id,
            until: revoked.until.into(),
        }
    }
}

/// The revoked tokens and sessions. Others are not known here: the permissions of a token are in
/// the token.
#[utoipa::path(get, path = "/api/v2/tokens", tag = "access", params(PageParams), responses(
    (status = 200, description = "A page, by id", body = Page<RevokedToken>),
))]
async fn list_tokens(State(authenticator): State<Arc<Authenticator>>, uri: Uri) -> ApiResult {
    let all = authenticator.revocations.all().into_iter();
    let all = all.map(|revoked| (revoked.id.clone(), RevokedToken::from(revoked)));
    let page = Paging::asked(&uri)?.pick(&uri, all);
    page.answer(&uri).map(never_kept)
}

/// Whether a token is revoked.
#[utoipa::path(get, path = "/api/v2/tokens/{id}", tag = "access",
    params(("id" = String, Path, pattern = "^[0-9A-Za-z]{1,64}$", description = "The id of the token, as `labwatch token` printed it", example = "9f86d081884c7d659a2feaa0")),
    responses((status = 200, description = "It is. 404 where it is not", body = RevokedToken)))]
async fn token(
    State(authenticator): State<Arc<Authenticator>>,
    Named(id): Named<String>,
    RawQuery(query): RawQuery,
) -> ApiResult {
    let id = checked(id, query.as_deref())?;
    let mut all = authenticator.revocations.all().into_iter();
    let revoked = all.find(|revoked| revoked.id == id);
    let revoked =
        revoked.ok_or_else(|| ApiError::new(Reason::NotFound, format!("{id} is not revoked")))?;
    let shown = answer(&RevokedToken::from(revoked))?;
    Ok(never_kept(shown))
}

/// Revokes a token, and every session made from it. Revoking one that was never issued does no
/// harm.
#[utoipa::path(delete, path = "/api/v2/tokens/{id}", tag = "access",
    params(("id" = String, Path, pattern = "^[0-9A-Za-z]{1,64}$", description = "The id of the token, as `labwatch token` printed it", example = "9f86d081884c7d659a2feaa0")),
    responses((status = 200, description = "It is revoked", body = Revocation)))]
async fn revoke_token(
    State(authenticator): State<Arc<Authenticator>>,
    caller: Caller,
    Named(id): Named<String>,
    RawQuery(query): RawQuery,
) -> ApiResult {
    let id = checked(id, query.as_deref())?;
    let now = jiff::Timestamp::now();
    let (revoked, kept) = authenticator.revocations.revoke(&id, now);
    let noted = authenticator
        .audit
        .note(&caller, &format!("revoked the token {id}"));
    let kept = timeout(KEEP_WITHIN, kept).await.unwrap_or(false);
    if !kept {
        tracing::error!(
            id,
            "cannot keep the revocation of a token, so it holds only until the next start: revoke it again later"
        );
    }
    let revocation = Revocation {
        id: revoked.id,
        kept,
        until: revoked.until.into(),
    };
    Ok((noted, answer(&revocation)?).into_response())
}

/// The id in a path.
fn checked(id: String, query: Option<&str>) -> ApiResult<String> {
    Params::parse(query, &[])?;
    if is_id(&id) {
        Ok(id)
    } else {
        Err(ApiError::new(
            Reason::InvalidName,
            "this is not the id of a token",
        ))
    }
}
