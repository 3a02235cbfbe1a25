//! Tickets for websockets of relay or jump: an access request with a fresh token, answered with an
//! address that can be used once. Opens no websocket.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use serde::Deserialize;
use url::Url;

use crate::clients::{
    Address, Claims, Http, jump_stats, mint, relay_canary, relay_read, relay_stats,
};
use engine::model::{CallError, SourceName, Topic};

/// The address of a websocket with a code that is valid once, within half a minute. The code is a
/// secret: `Debug` does not show it.
pub struct WebsocketTicket(Url);

impl WebsocketTicket {
    /// A ticket for an address with its code.
    pub fn new(url: Url) -> Self {
        Self(url)
    }

    /// The whole address, code included: for dialling only.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for WebsocketTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Invitation({}{}, code hidden)",
            self.0.origin().ascii_serialization(),
            self.0.path()
        )
    }
}

/// Requests access to the reports of relay or jump, with a token that lives this long.
///
/// # Errors
/// The [`CallError`] of the call, or [`CallError::Protocol`] when the answer holds no usable
/// address.
pub async fn to_reports(
    http: &Http,
    address: &Address,
    source: SourceName,
    life: Duration,
) -> Result<WebsocketTicket, CallError> {
    let now = Timestamp::now();
    let (path, claims): (&[&str], Claims) = match source {
        SourceName::Relay => (&["session", "stats"], relay_stats(address, now, life)),
        SourceName::Jump => (
            &["api", "v1", "connect", "stats"],
            jump_stats(address, now, life),
        ),
        SourceName::Book => {
            return Err(CallError::Protocol("book sends no reports".to_owned()));
        }
    };
    request(http, source, address, path, &claims).await
}

/// Requests access to one stream of relay, with a token that lives this long.
///
/// # Errors
/// As [`to_reports`].
pub async fn to_stream(
    http: &Http,
    address: &Address,
    topic: &Topic,
    life: Duration,
) -> Result<WebsocketTicket, CallError> {
    let claims = relay_read(address, Timestamp::now(), life, topic.as_str());
    let path = ["session", topic.as_str()];
    request(http, SourceName::Relay, address, &path, &claims).await
}

/// Requests access to the canary's topic for sending and receiving, with a token that lives this
/// long.
///
/// # Errors
/// As [`to_reports`].
pub async fn to_canary(
    http: &Http,
    address: &Address,
    topic: &Topic,
    life: Duration,
) -> Result<WebsocketTicket, CallError> {
    let claims = relay_canary(address, Timestamp::now(), life, topic.as_str());
    let path = ["session", topic.as_str()];
    request(http, SourceName::Relay, address, &path, &claims).await
}

async fn request(
    http: &Http,
    server: SourceName,
    address: &Address,
    path: &[&str],
    claims: &Claims,
) -> Result<WebsocketTicket, CallError> {
    let token = mint(address, claims).map_err(|error| CallError::Credentials(error.to_string()))?;
    let body = http
        .call(server, Method::POST, address.at(path), &token)
        .await?;
    let uri = read_answer(&body)?;
    match &address.websocket {
        Some(origin) => rewritten(uri, origin).map(WebsocketTicket::new),
        None => Ok(WebsocketTicket::new(uri)),
    }
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    uri: std::borrow::Cow<'a, str>,
}

/// The address in the response. Errors quote nothing of the response, which may hold a code.
fn read_answer(body: &[u8]) -> Result<Url, CallError> {
    let answer: Answer<'_> = serde_json::from_slice(body).map_err(|_| {
        CallError::Protocol(
            "its answer to the access request holds no uri: check the base path".to_owned(),
        )
    })?;
    let url = Url::parse(&answer.uri).map_err(|error| {
        CallError::Protocol(format!("the uri that it hands out is none ({error})"))
    })?;
    if matches!(url.scheme(), "ws" | "wss") && url.has_host() {
        Ok(url)
    } else {
        Err(CallError::Protocol(format!(
            "the uri that it hands out is no websocket address but {}",
            url.scheme()
        )))
    }
}

/// The address with scheme, host and port of `origin`; path and code stay.
fn rewritten(mut url: Url, origin: &Url) -> Result<Url, CallError> {
    let done = url.set_scheme(origin.scheme()).is_ok()
        && url.set_host(origin.host_str()).is_ok()
        && url.set_port(origin.port()).is_ok();
    if done {
        Ok(url)
    } else {
        Err(CallError::Protocol(
            "the websocket address of the settings does not fit the uri that it hands out"
                .to_owned(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_taken_or_refused_without_its_code() {
        let rows: [(&str, Result<&str, &str>); 6] = [
            (
                r#"{"uri":"ws://h:1/session/stats?code=c0de"}"#,
                Ok("ws://h:1/session/stats?code=c0de"),
            ),
            (
                r#"{"uri":"wss:\/\/h\/p?code=c0de"}"#,
                Ok("wss://h/p?code=c0de"),
            ),
            (r#"{"code":"c0de"}"#, Err("holds no uri")),
            ("<html>c0de</html>", Err("holds no uri")),
            (r#"{"uri":"c0de"}"#, Err("is none")),
            (
                r#"{"uri":"http://h/p?code=c0de"}"#,
                Err("no websocket address but http"),
            ),
        ];
        for (body, expected) in rows {
            match (read_answer(body.as_bytes()), expected) {
                (Ok(url), Ok(text)) => assert_eq!(url.as_str(), text),
                (Err(fault), Err(words)) => {
                    let said = fault.words(engine::model::Visibility::MAINTAINER);
                    assert!(said.contains(words) && !said.contains("c0de"), "{said}");
                }
                (found, _) => panic!("{body}: {found:?}"),
            }
        }
    }

    #[test]
    fn another_origin_keeps_path_and_code() {
        for (uri, origin, expected) in [
            (
                "wss://app.example.org/ed0/relay/session/stats?code=1",
                "ws://127.0.0.1:3001",
                "ws://127.0.0.1:3001/ed0/relay/session/stats?code=1",
            ),
            (
                "ws://127.0.0.1:3001/session/stats?code=1",
                "wss://app.example.org/x",
                "wss://app.example.org/session/stats?code=1",
            ),
        ] {
            let url = rewritten(
                Url::parse(uri).expect("a url"),
                &Url::parse(origin).expect("a url"),
            )
            .expect("fits");
            assert_eq!(url.as_str(), expected);
        }
    }

    #[test]
    fn the_code_is_not_shown() {
        let ticket =
            WebsocketTicket::new(Url::parse("ws://h:1/session/stats?code=c0de").expect("a url"));
        assert_eq!(
            format!("{ticket:?}"),
            "Invitation(ws://h:1/session/stats, code hidden)"
        );
    }
}
