//! The sign-in page: a form for a token. It works without a script, shows nothing of the
//! laboratory, and sends the token only to this server.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::layout;
use super::response::{framed, theme};
use super::shapes::shape;
use super::web_state::WebState;
use super::words::{self, clip};
use crate::http::auth::{Caller, Refusal, is_place};

/// The query of the form's address.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    /// Where to go afterwards.
    next: String,
    /// Why the last token was refused, as one word.
    refused: String,
}

/// The page; also for users who are signed in already, with another token.
pub(super) async fn page(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let asked = asked.map(|Query(asked)| asked).unwrap_or_default();
    framed(
        &state.base,
        layout::bare(theme(&headers), "Sign in", &form(&caller, &asked)),
    )
}

fn form(caller: &Caller, asked: &Asked) -> Markup {
    let refused = Refusal::ALL
        .into_iter()
        .find(|why| why.as_str() == asked.refused);
    let problem = match asked.refused.as_str() {
        "" => None,
        "wait" => Some("Too many tokens were refused. Wait for some minutes.".to_owned()),
        _ => Some(refused.map_or_else(
            || "This is not a token.".to_owned(),
            |why| words::sentence(&words::capital(&why.to_string())),
        )),
    };
    html! {
        @if let (Some(pass), Some(csrf)) = (caller.pass(), caller.csrf()) {
            form.signed method="post" action="/logout" {
                p { "You are signed in as " strong { (clip(&pass.name)) } " (" (pass.scopes.words().collect::<Vec<_>>().join(", ")) ")." }
                input type="hidden" name="csrf" value=(csrf);
                p.confirm { button type="submit" { "Sign out" } a href="/" { "Go to the overview" } }
            }
            h2 { "With another token" }
        }
        form.card #login method="post" action="/login" {
            @if let Some(problem) = &problem { p.problem #problem role="alert" { (shape("down")) span { (problem) } } }
            div.field {
                label for="token" { "Your token" }
                input #token name="token" type="password" autocomplete="current-password" required autofocus
                    aria-invalid=[problem.is_some().then_some("true")] aria-describedby=(if problem.is_some() { "problem token-hint" } else { "token-hint" });
                p.hint #token-hint { "The operator of labwatch makes one: " code { "labwatch token --scope admin --for 30d --name NAME" } }
            }
            @if let Some(csrf) = caller.csrf() { input type="hidden" name="csrf" value=(csrf); }
            @if is_place(&asked.next) { input type="hidden" name="next" value=(asked.next); }
            p.confirm { button.main type="submit" { "Sign in" } }
        }
    }
}
