//! The caller, by their token or session.

use std::sync::Arc;

use axum::extract::RawQuery;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::params::Params;
use super::time::Timestamp;
use crate::http::auth::authenticator::Authenticator;
use crate::http::auth::login::never_kept;
use crate::http::auth::{Caller, Need, Scope};
use crate::http::error::ApiError;
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
    scopes: Vec<ScopeName>,
}

/// A scope of a token.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = Scope)]
enum ScopeName {
    Read,
    Report,
    Admin,
}

impl From<Scope> for ScopeName {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Read => Self::Read,
            Scope::Report => Self::Report,
            Scope::Admin => Self::Admin,
        }
    }
}

/// The caller and their permissions.
#[utoipa::path(get, path = "/api/v2/session", tag = "access", responses(
    (status = 200, description = "The caller", body = Who<'static>),
))]
async fn session(caller: Caller, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    Params::parse(query.as_deref(), &[])?;
    let holds = |scope: &Scope| {
        let pass = caller.pass();
        pass.is_some_and(|pass| pass.scopes.words().any(|word| word == scope.as_str()))
    };
    let scopes = Scope::ALL.into_iter().filter(holds);
    let shown = answer(&Who {
        csrf: caller.csrf().unwrap_or_default(),
        expires: caller.expires().map(Timestamp::from),
        name: caller.name(),
        scopes: scopes.map(ScopeName::from).collect(),
    })?;
    Ok(never_kept(shown))
}
