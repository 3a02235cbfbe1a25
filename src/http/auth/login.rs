//! Sign-in for browsers, which exchanges a token for a session, and sign-out.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use super::authenticator::Authenticator;
use super::client::Client;
use super::{AccessToken, Caller, Noted, Refusal, Scope, SignError, is_place};
use super::{layer, origin};
use crate::http::error::{self, ApiError, ApiResult};

/// The field of the form that holds the token.
const TOKEN_FIELD: &str = "token";

/// The field of the form that holds the page that follows.
const NEXT_FIELD: &str = "next";

/// The reason that the form shows after too many failures.
const WAIT: &str = "wait";

/// Forbids all caching, as for every answer about tokens and sessions.
pub(in crate::http) fn never_kept(answer: Response) -> Response {
    (
        [(CACHE_CONTROL, HeaderValue::from_static("no-store"))],
        answer,
    )
        .into_response()
}

/// Takes a token in the field `token` of a form, and answers with a session. A browser is sent to
/// the page where it was, or back to the form.
pub(in crate::http) async fn sign_in(
    State(authenticator): State<Arc<Authenticator>>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    body: Bytes,
) -> ApiResult {
    let next = origin::field(&body, NEXT_FIELD).unwrap_or_default();
    let back = |why: &str| {
        (
            Noted::elsewhere(),
            layer::to(authenticator.page(&layer::sign_in_address(&next, Some(why)))),
        )
            .into_response()
    };
    let person = layer::accepts_pages(&headers);
    let token = origin::is_form(&headers)
        .then(|| origin::field(&body, TOKEN_FIELD))
        .flatten();
    let token = token.ok_or_else(|| error::malformed("a form with the field token is needed"))?;
    let now = Timestamp::now();
    let pass = match may_sign_in(&authenticator, token.trim(), now) {
        Ok(pass) => pass,
        Err(why) => {
            let wait = authenticator.has_to_wait(client);
            let refused = authenticator.refuse(client, why);
            return match (person, wait) {
                (true, true) => Ok(back(WAIT)),
                (true, false) => Ok(back(why.as_str())),
                (false, _) => Err(refused),
            };
        }
    };
    let opened = authenticator.authority().map_err(error::refused)?.open(
        &pass,
        authenticator.settings.session,
        now,
    );
    let (session, text) = opened.map_err(|fault| cannot_sign(&fault))?;
    let life = Duration::try_from(session.expires.duration_since(now)).unwrap_or_default();
    let cookie = authenticator
        .cookie
        .set(&text, life, client.secure)
        .ok_or_else(error::internal)?;
    let noted = authenticator.record_session(session, "signed in");
    let there = if is_place(&next) { &next } else { "/" };
    Ok((
        noted,
        [(SET_COOKIE, cookie)],
        redirect_or_confirm(&authenticator, &headers, there),
    )
        .into_response())
}

/// The claims of a valid token that may start a session: one that may only report is on a device,
/// and not for reading.
fn may_sign_in(
    authenticator: &Authenticator,
    token: &str,
    now: Timestamp,
) -> Result<AccessToken, Refusal> {
    let pass = authenticator.token(token, now)?;
    if pass.allows(Scope::Read) {
        Ok(pass)
    } else {
        Err(Refusal::ReportOnly)
    }
}

/// Ends the session, if there is one, and removes the cookie in any case.
pub(in crate::http) async fn sign_out(
    State(authenticator): State<Arc<Authenticator>>,
    Extension(client): Extension<Client>,
    caller: Caller,
    headers: HeaderMap,
) -> ApiResult {
    let noted = match caller {
        Caller::Session(session) => {
            authenticator
                .revocations
                .sign_out(&session, Timestamp::now());
            authenticator.record_session(session, "signed out")
        }
        // There is no session to end, so nothing changes.
        Caller::Anonymous | Caller::Token(_) => Noted::elsewhere(),
    };
    let cookie = authenticator
        .cookie
        .remove(client.secure)
        .ok_or_else(error::internal)?;
    Ok((
        noted,
        [(SET_COOKIE, cookie)],
        redirect_or_confirm(&authenticator, &headers, "/"),
    )
        .into_response())
}

fn cannot_sign(fault: &SignError) -> ApiError {
    tracing::error!(%fault, "a session cannot be made");
    error::internal()
}

/// Redirects a browser to a page; a program only gets the confirmation.
fn redirect_or_confirm(authenticator: &Authenticator, headers: &HeaderMap, page: &str) -> Response {
    if layer::accepts_pages(headers) {
        layer::to(authenticator.page(page))
    } else {
        StatusCode::NO_CONTENT.into_response()
    }
}
