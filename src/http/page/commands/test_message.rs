//! The button that sends a test message: it takes the path of the API, and the answer lists the
//! outcome for each recipient.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;

use super::fields::Fields;
use crate::http::TestMessages;
use crate::http::auth::Noted;
use crate::http::error::Reason;
use crate::http::page::moment::Moment;
use crate::http::page::shapes::shape;
use crate::http::page::web_state::WebState;
use crate::http::page::{outbox, words};

/// Redirects to the form, which is on the outbox's page.
pub(super) async fn ask(State(state): State<WebState>) -> Redirect {
    Redirect::to(&format!("{}/outbox#test", state.base))
}

/// Sends it, and shows the outcome: on this page, because another replica may have sent it.
pub(super) async fn send(
    Extension(tests): Extension<TestMessages>,
    moment: Moment,
    body: Bytes,
) -> Response {
    let fields = Fields::of(&body);
    let route = Some(fields.get("route")).filter(|route| !route.is_empty());
    let sent = tests
        .send(&moment.snapshot, route, moment.caller.name())
        .await;
    let frame = moment.frame();
    let (status, said) = match &sent {
        Ok(report) => (StatusCode::OK, outbox::tested(&frame, report)),
        Err(refusal) => (
            Reason::from(refusal).status(),
            html! { p.problem #problem role="alert" { (shape("down")) span { (words::sentence(&refusal.to_string())) } } },
        ),
    };
    let page = html! {
        div.order { h1 { "Test message" } (said) p { a href="/outbox" { "Back to the outbox" } } }
    };
    let page = moment.still("/outbox", "Test message", &page);
    (status, Noted::elsewhere(), page).into_response()
}
