//! Notification channels by HTTP for programs and chats: builds one request per notification and
//! sends it. Decides neither what is notified nor when, nor whether a failed delivery is retried.
//!
//! A new channel is a variant of [`HttpChannel`] and a file here; the compiler names all other
//! places.

mod alertmanager;
mod brief;
mod matrix;
mod message;
mod ntfy;
mod slack;
mod teams;
#[cfg(test)]
mod tests;

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;

pub use alertmanager::REPEAT_EVERY;
pub use message::{Request, Size};

use alertmanager::still_firing;
use message::Message;

use super::notification::{Presentation, content};
use crate::clients::Http;
use crate::config::HttpTarget;
use engine::model::{CallError, RouteName};
use engine::{HttpChannel, Snapshot, Summary};

/// The header with the id of the message, the same at each attempt.
pub const HEADER_ID: &str = "x-labwatch-id";

/// The longest pause (Retry-After) that is waited for within one attempt. A longer one is left to
/// the next attempt.
const MAX_PAUSE: Duration = Duration::from_secs(20);

/// The request that delivers a summary to its receiver; `None` for a webhook, which has a format
/// and a sender of its own.
///
/// # Errors
/// Why it cannot be built.
pub fn request(
    target: &HttpTarget,
    summary: &Summary,
    presentation: &Presentation,
    size: Size,
) -> Result<Option<Request>, String> {
    let message = Message {
        summary,
        content: content(summary, presentation),
        presentation,
    };
    let (method, url, value) = match target.channel {
        HttpChannel::Webhook => return Ok(None),
        HttpChannel::Alertmanager => alertmanager::request(target, &message, size)?,
        HttpChannel::Slack => slack::request(target, &message, size),
        HttpChannel::Teams => teams::request(target, &message, size),
        HttpChannel::Matrix => matrix::request(target, &message, size)?,
        HttpChannel::Ntfy => ntfy::request(target, &message, size)?,
    };
    Ok(Some(Request {
        method,
        url,
        with_token: wants_token(target.channel),
        body: serde_json::to_vec(&value).map_err(|error| error.to_string())?,
    }))
}

/// Whether the secret of a route is a bearer token of the receiver's.
fn wants_token(channel: HttpChannel) -> bool {
    matches!(
        channel,
        HttpChannel::Alertmanager | HttpChannel::Matrix | HttpChannel::Ntfy
    )
}

/// Delivers a summary to its receiver. A request that is refused as too large is sent again at
/// once, shorter; a pause that the receiver asks for, if short, is waited for, once.
///
/// # Errors
/// A [`CallError`] when it was not accepted. It quotes nothing of the response, which may repeat
/// the address.
pub async fn deliver(
    http: &Http,
    target: &HttpTarget,
    summary: &Summary,
    presentation: &Presentation,
) -> Result<(), CallError> {
    let (mut size, mut may_pause) = (Size::Whole, true);
    loop {
        let unfit = |why| CallError::Protocol(format!("the message cannot be put together: {why}"));
        let request = request(target, summary, presentation, size).map_err(unfit)?;
        let request = request.ok_or_else(|| unfit("it is one of a webhook".to_owned()))?;
        let headers = headers(target, &request, &summary.thread.id.to_string()).map_err(unfit)?;
        let answer = http
            .call_hidden_for_status(request.method, request.url, headers, request.body)
            .await?;
        match (answer.status, size.smaller(), answer.retry_after) {
            (200..300, _, _) => return Ok(()),
            (413, Some(smaller), _) => size = smaller,
            (429, _, Some(pause)) if may_pause && pause <= MAX_PAUSE => {
                may_pause = false;
                tokio::time::sleep(pause).await;
            }
            _ => return Err(answer.into_error()),
        }
    }
}

/// Sends the firing alerts of Alertmanager again, once.
///
/// # Errors
/// A [`CallError`] when they were not accepted, or cannot be built.
pub async fn repeat(
    http: &Http,
    target: &HttpTarget,
    route: &RouteName,
    snapshot: &Snapshot,
    presentation: &Presentation,
) -> Result<(), CallError> {
    let unfit = |why| CallError::Protocol(format!("the alerts cannot be put together: {why}"));
    let Some(request) = still_firing(target, route, snapshot, presentation).map_err(unfit)? else {
        return Ok(());
    };
    let id = format!("repeat.{}", snapshot.at.as_second());
    let headers = headers(target, &request, &id).map_err(unfit)?;
    http.call_hidden(request.method, request.url, headers, request.body)
        .await
}

fn headers(target: &HttpTarget, request: &Request, id: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let id = HeaderValue::from_str(id).map_err(|error| error.to_string())?;
    headers.insert(HeaderName::from_static(HEADER_ID), id);
    if let Some(secret) = target.secret.as_ref().filter(|_| request.with_token) {
        let token = format!("Bearer {}", secret.expose_secret());
        let mut token = HeaderValue::from_str(&token)
            .map_err(|_| "its secret holds what no header may hold".to_owned())?;
        token.set_sensitive(true);
        headers.insert(AUTHORIZATION, token);
    }
    Ok(headers)
}
