//! The way in for browsers: a form that takes a token and gives a session, and the way out.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::client::Client;
use super::cookie;
use super::error::{self, ApiError};
use super::gate::{self, Gate};
use super::origin;
use super::routes::answer;
use crate::access::{Caller, SignError};

/// The field of the form that holds the token.
const TOKEN_FIELD: &str = "token";

/// The form. It works without scripts and styles, and sends the token nowhere but here.
const FORM: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
    <meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"robots\" content=\"noindex\">\n<title>Sign in to labwatch</title>\n\
    <h1>Sign in to labwatch</h1>\n<form method=\"post\" action=\"login\">\n\
    <p><label for=\"token\">Your token, from <code>labwatch token --scope admin --for 30d --name NAME</code></label></p>\n\
    <p><input id=\"token\" name=\"token\" type=\"password\" autocomplete=\"current-password\" required autofocus></p>\n\
    <p><button>Sign in</button></p>\n<input type=\"hidden\" name=\"csrf\" value=\"CSRF\">\n</form>\n</html>\n";

/// What stands in the form for the text that a session repeats. The text has only letters and digits.
const CSRF_PLACE: &str = "CSRF";

/// Who asks, as the API tells them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Who<'a> {
    /// What forms and scripts of a session repeat with each change; empty for others, who need none.
    csrf: &'a str,
    /// Until when; null for who showed nothing.
    #[schema(required)]
    expires: Option<Timestamp>,
    /// The name of their token.
    #[schema(example = "anonymous")]
    name: &'a str,
    /// What their token allows: `read`, `report`, `admin`, which holds the others.
    #[schema(value_type = Vec<String>, example = json!([]))]
    scopes: Vec<&'static str>,
}

/// Who asks, and what they may.
#[utoipa::path(
    get,
    path = "/api/v1/session",
    tag = "access",
    responses((status = 200, description = "Who the token or the session says that you are", body = Who<'static>))
)]
pub(super) async fn who(caller: Caller) -> Result<Response, ApiError> {
    let expires = match &caller {
        Caller::Anonymous => None,
        Caller::Token(pass) => Some(pass.expires),
        Caller::Session(session) => Some(session.expires),
    };
    let scopes = caller.pass().map(|pass| pass.scopes.words().collect()).unwrap_or_default();
    answer(&Who { csrf: caller.csrf().unwrap_or_default(), expires, name: caller.name(), scopes })
}

/// The form; also for who is signed in already, with another token.
pub(super) async fn form(caller: Caller) -> Response {
    let page = FORM.replace(CSRF_PLACE, caller.csrf().unwrap_or_default());
    ([(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))], page).into_response()
}

/// Takes a token in the field `token` of a form, and answers with a session.
pub(super) async fn sign_in(
    State(gate): State<Arc<Gate>>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    gate.not_yet(client)?;
    let token = origin::is_form(&headers).then(|| origin::field(&body, TOKEN_FIELD)).flatten();
    let token = token.ok_or_else(|| error::malformed("a form with the field token is needed"))?;
    let now = Timestamp::now();
    let pass = gate.token(token.trim(), now).map_err(|why| gate.refuse(client, why))?;
    let opened = gate.authority().map_err(error::refused)?.open(&pass, gate.settings.session, now);
    let (session, text) = opened.map_err(|fault| cannot_sign(&fault))?;
    let life = Duration::try_from(session.expires.duration_since(now)).unwrap_or_default();
    let cookie = cookie::set(&text, life, client.secure).ok_or_else(error::internal)?;
    let noted = gate.audit.note(&Caller::Session(session), "signed in");
    Ok((noted, [(SET_COOKIE, cookie)], home(&gate, &headers)).into_response())
}

/// Ends the session.
pub(super) async fn sign_out(
    State(gate): State<Arc<Gate>>,
    Extension(client): Extension<Client>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if let Caller::Session(session) = &caller {
        let revoked = gate.revocations.revoke(&session.id, Some(session.expires), Timestamp::now());
        // It holds at once; whether it is kept for a restart is not worth a wait, because the browser forgets the session too.
        revoked.map(drop).map_err(error::not_revoked)?;
    }
    let cookie = cookie::remove(client.secure).ok_or_else(error::internal)?;
    let noted = gate.audit.note(&caller, "signed out");
    Ok((noted, [(SET_COOKIE, cookie)], home(&gate, &headers)).into_response())
}

fn cannot_sign(fault: &SignError) -> ApiError {
    tracing::error!(%fault, "a session cannot be made");
    error::internal()
}

/// A browser goes to the page; a program only wants to know that it worked.
fn home(gate: &Gate, headers: &HeaderMap) -> Response {
    if gate::accepts_pages(headers) { gate::to(gate.page("/")) } else { StatusCode::NO_CONTENT.into_response() }
}
