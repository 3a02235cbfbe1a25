//! The way in for browsers: takes a token from the form of the page and gives a session; and the way out.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use super::authenticator::{self, Authenticator};
use super::client::Client;
use super::error::{self, ApiError};
use super::origin;
use crate::http::auth::{Caller, Noted, SignError, is_place};

/// The field of the form that holds the token.
const TOKEN_FIELD: &str = "token";

/// The field of the form that holds where its sender goes then.
const NEXT_FIELD: &str = "next";

/// What the form is told where too many failed.
const WAIT: &str = "wait";

/// Takes a token in the field `token` of a form, and answers with a session. A browser goes where it was, or back to the form.
pub(super) async fn sign_in(
    State(authenticator): State<Arc<Authenticator>>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let next = origin::field(&body, NEXT_FIELD).unwrap_or_default();
    let back = |why: &str| {
        (
            Noted::elsewhere(),
            authenticator::to(authenticator.page(&authenticator::way_in(&next, Some(why)))),
        )
            .into_response()
    };
    let person = authenticator::accepts_pages(&headers);
    match authenticator.not_yet(client) {
        Err(_) if person => return Ok(back(WAIT)),
        other => other?,
    }
    let token = origin::is_form(&headers)
        .then(|| origin::field(&body, TOKEN_FIELD))
        .flatten();
    let token = token.ok_or_else(|| error::malformed("a form with the field token is needed"))?;
    let now = Timestamp::now();
    let pass = match authenticator.token(token.trim(), now) {
        Ok(pass) => pass,
        Err(why) => {
            let refused = authenticator.refuse(client, why);
            return if person {
                Ok(back(why.as_str()))
            } else {
                Err(refused)
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
    let noted = authenticator
        .audit
        .note(&Caller::Session(session), "signed in");
    let there = if is_place(&next) { &next } else { "/" };
    Ok((
        noted,
        [(SET_COOKIE, cookie)],
        went(&authenticator, &headers, there),
    )
        .into_response())
}

/// Ends the session.
pub(super) async fn sign_out(
    State(authenticator): State<Arc<Authenticator>>,
    Extension(client): Extension<Client>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if let Caller::Session(session) = &caller {
        let revoked =
            authenticator
                .revocations
                .revoke(&session.id, Some(session.expires), Timestamp::now());
        // It holds at once; whether it is kept for a restart is not worth a wait, because the browser forgets the session too.
        revoked.map(drop).map_err(error::not_revoked)?;
    }
    let cookie = authenticator
        .cookie
        .remove(client.secure)
        .ok_or_else(error::internal)?;
    let noted = authenticator.audit.note(&caller, "signed out");
    Ok((
        noted,
        [(SET_COOKIE, cookie)],
        went(&authenticator, &headers, "/"),
    )
        .into_response())
}

fn cannot_sign(fault: &SignError) -> ApiError {
    tracing::error!(%fault, "a session cannot be made");
    error::internal()
}

/// A browser goes to a page; a program only wants to know that it worked.
fn went(authenticator: &Authenticator, headers: &HeaderMap, page: &str) -> Response {
    if authenticator::accepts_pages(headers) {
        authenticator::to(authenticator.page(page))
    } else {
        StatusCode::NO_CONTENT.into_response()
    }
}
