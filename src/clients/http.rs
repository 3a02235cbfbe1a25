//! HTTP calls with a bound on everything, and failures told apart by what to do about them.

use std::error::Error;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, Response, StatusCode};
use url::Url;

use engine::model::CallError;

/// The largest answer that is read, in bytes. Book's list of 10,000 resources is about 2 MB.
pub const MAX_ANSWER_BYTES: usize = 32 << 20;

/// How much of a server's error text is kept, in bytes.
pub const MAX_QUOTED_BYTES: usize = 200;

/// A client with a limit on the time of each call.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
}

impl Http {
    /// A client whose calls take at most `timeout`, connecting included.
    ///
    /// # Errors
    /// [`CallError::Unreachable`] when no TLS set-up can be made, for example without any CA certificates.
    pub fn new(timeout: Duration, tls: rustls::ClientConfig) -> Result<Self, CallError> {
        Self::build(reqwest::Client::builder(), timeout, tls)
    }

    /// A client that never goes through a proxy, whatever the environment says: for this host, where a proxy would lead to another one and
    /// would be shown our token.
    ///
    /// # Errors
    /// As [`Http::new`].
    pub fn without_proxy(timeout: Duration, tls: rustls::ClientConfig) -> Result<Self, CallError> {
        Self::build(reqwest::Client::builder().no_proxy(), timeout, tls)
    }

    fn build(
        builder: reqwest::ClientBuilder,
        timeout: Duration,
        tls: rustls::ClientConfig,
    ) -> Result<Self, CallError> {
        let client = builder
            .timeout(timeout)
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("labwatch/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| CallError::Unreachable(root_cause(&error)))?;
        Ok(Self { client })
    }

    /// Sends a request with a bare token and takes the answer's body, where the status is a good one.
    ///
    /// # Errors
    /// A [`CallError`] that says what to do about it.
    pub async fn call(&self, method: Method, url: Url, token: &str) -> Result<Vec<u8>, CallError> {
        let request = self
            .client
            .request(method, url)
            .header(reqwest::header::AUTHORIZATION, token);
        let response = request
            .send()
            .await
            .map_err(|error| classify_error(&error))?;
        let status = response.status();
        let body = read_bounded(response, MAX_ANSWER_BYTES).await?;
        if status.is_success() {
            Ok(body)
        } else {
            Err(classify_answer(status, &body))
        }
    }

    /// Sends a request to an address that may hold a secret, and takes the status alone: what the other side says may repeat the address.
    ///
    /// # Errors
    /// A [`CallError`] when there is no good answer within the time limit. It quotes nothing.
    pub async fn call_hidden(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<(), CallError> {
        let request = self.client.request(method, url).headers(headers).body(body);
        let response = request
            .send()
            .await
            .map_err(|error| classify_error(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        Err(CallError::Sick {
            status: status.as_u16(),
            body: "what it said is not kept, because it may repeat the address".to_owned(),
        })
    }

    /// Sends a request, with a bearer's token or without, and takes the answer's status and body, whatever the status.
    ///
    /// # Errors
    /// A [`CallError`] when there is no answer, or one of more than `at_most` bytes.
    pub async fn look(
        &self,
        url: Url,
        token: Option<&str>,
        at_most: usize,
    ) -> Result<(u16, Vec<u8>), CallError> {
        let request = self
            .client
            .get(url)
            .header(reqwest::header::ACCEPT, "application/json, */*;q=0.5");
        let request = token
            .into_iter()
            .fold(request, reqwest::RequestBuilder::bearer_auth);
        let response = request
            .send()
            .await
            .map_err(|error| classify_error(&error))?;
        let status = response.status().as_u16();
        Ok((status, read_bounded(response, at_most).await?))
    }
}

async fn read_bounded(mut response: Response, at_most: usize) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| classify_error(&error))?
    {
        if body.len() + chunk.len() > at_most {
            return Err(CallError::Protocol(format!(
                "its answer is longer than {at_most} bytes"
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn classify_error(error: &reqwest::Error) -> CallError {
    if error.is_timeout() {
        CallError::TimedOut
    } else if error.is_connect() {
        CallError::Unreachable(root_cause(error))
    } else if error.is_body() || error.is_decode() {
        CallError::Protocol(root_cause(error))
    } else {
        CallError::Dropped
    }
}

/// The innermost cause: the outer ones repeat the URL, which may carry a code.
fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Tells an answer with a bad status by its body: these servers answer 500 to a token that they do not accept.
fn classify_answer(status: StatusCode, body: &[u8]) -> CallError {
    let said = said(body);
    match status.as_u16() {
        500 if said.contains("does not match this host") => CallError::Audience(said),
        500 if TOKEN_TROUBLE.iter().any(|words| said.contains(words)) => {
            CallError::Credentials(said)
        }
        400 | 401 | 403 => CallError::Forbidden(said),
        404 => CallError::NotFound(said),
        code => CallError::Sick {
            status: code,
            body: said,
        },
    }
}

/// What the servers say in a 500 when the token is at fault: relay; book; jump, twice.
const TOKEN_TROUBLE: [&str; 4] = [
    "token invalid",
    "error parsing claims",
    "error reading token",
    "token is expired",
];

/// What an error body says: the message of a JSON object, a bare JSON string, or the text itself; cut and without control characters.
fn said(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * MAX_QUOTED_BYTES)]);
    let message = match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(serde_json::Value::String(message)) => message,
        Ok(serde_json::Value::Object(object)) => object
            .get("message")
            .and_then(|message| message.as_str())
            .map_or_else(|| text.to_string(), str::to_owned),
        _ => text.to_string(),
    };
    let mut clean: String = message
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if clean.len() > MAX_QUOTED_BYTES {
        let cut = (0..=MAX_QUOTED_BYTES)
            .rev()
            .find(|&at| clean.is_char_boundary(at))
            .unwrap_or(0);
        clean.truncate(cut);
        clean.push('\u{2026}');
    }
    clean.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart_by_what_to_do() {
        let rows: [(u16, &str, &str); 12] = [
            (
                500,
                r#"{"code":500,"message":"token invalid"}"#,
                "credentials",
            ),
            (
                500,
                r#"{"code":500,"message":"error parsing claims was token is expired"}"#,
                "credentials",
            ),
            (
                500,
                r#"{"code":500,"message":"error reading token was signature is invalid"}"#,
                "credentials",
            ),
            (
                500,
                r#"{"code":500,"message":"token is expired by 1.19s"}"#,
                "credentials",
            ),
            (
                500,
                r#"{"code":500,"message":"aud [x] does not match this host y"}"#,
                "audience",
            ),
            (500, "oops", "sick"),
            (
                401,
                r#"{"code":"401","message":"no scope booking:admin"}"#,
                "forbidden",
            ),
            (401, r#""Token Wrong Topic""#, "forbidden"),
            (
                400,
                r#"{"code":"400","message":"bookingID has been deny-listed"}"#,
                "forbidden",
            ),
            (
                404,
                r#"{"code":404,"message":"path /nope was not found"}"#,
                "not-found",
            ),
            (
                422,
                r#"{"code":602,"message":"reason in query is required"}"#,
                "sick",
            ),
            (502, "<html>bad gateway</html>", "sick"),
        ];
        for (status, body, as_str) in rows {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(
                classify_answer(status, body.as_bytes()).as_str(),
                as_str,
                "{status} {body}"
            );
        }
    }

    #[test]
    fn a_quoted_body_is_short_and_clean() {
        assert_eq!(said(b"\"Token Wrong Topic\"\n"), "Token Wrong Topic");
        assert_eq!(said(b"a\r\nb"), "a  b");
        assert!(said("\u{e9}".repeat(10_000).as_bytes()).len() <= MAX_QUOTED_BYTES + 3);
    }
}
