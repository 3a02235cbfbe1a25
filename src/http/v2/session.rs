//! The caller, by their token or session.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::params::NoParams;
use super::time::Timestamp;
use crate::http::auth::authenticator::Authenticator;
use crate::http::auth::login::never_kept;
use crate::http::auth::{Caller, Need, Scope};
use crate::http::error::ApiResult;
use crate::http::json::answer;
use crate::http::routes::{Routes, routes};

/// All routes.
pub(super) fn routes() -> Routes<Arc<Authenticator>> {
    Routes::needing(Need::Always).add(routes!(session))
}

/// The caller.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
struct Who<'a> {
    /// The CSRF text that forms and scripts of a session repeat with each change; empty for others,
    /// who need none.
    csrf: &'a str,
    /// When the token or session expires; null without one.
    #[schema(required)]
    expires: Option<Timestamp>,
    /// The name of the token.
    #[schema(example = "anonymous")]
    name: &'a str,
    /// The scopes of the token; `admin` includes the others.
    scopes: Vec<Scope>,
}

/// The caller and their permissions.
#[utoipa::path(get, path = "/api/v2/session", tag = "access", responses(
    (status = 200, description = "The caller", body = Who<'static>),
))]
async fn session(caller: Caller, _: NoParams) -> ApiResult {
    let holds = |scope: &Scope| {
        let pass = caller.pass();
        pass.is_some_and(|pass| pass.scopes.words().any(|word| word == scope.as_str()))
    };
    let scopes = Scope::ALL.into_iter().filter(holds);
    let shown = answer(&Who {
        csrf: caller.csrf().unwrap_or_default(),
        expires: caller.expires().map(Timestamp::from),
        name: caller.name(),
        scopes: scopes.collect(),
    })?;
    Ok(never_kept(shown))
}
