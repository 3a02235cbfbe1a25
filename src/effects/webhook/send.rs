//! Brings messages to webhooks. One call each, within a time limit and without following redirects; never tries again by itself.
//!
//! A call carries its time, `X-Labwatch-Timestamp`, in seconds since 1970; a name, `X-Labwatch-Id`; and where there is a secret
//! `X-Labwatch-Signature: sha256=` with the HMAC-SHA256, in hexadecimal digits, of the timestamp, a dot and the body. Who receives it
//! makes the same HMAC, compares the two in constant time, and refuses what is older than a few minutes.

use std::fmt;
use std::fmt::Write;
use std::sync::Arc;

use aws_lc_rs::hmac;
use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use url::Url;

use super::message;
use crate::effects::STOP_GRACE;
use crate::engine::{Input, MailFault, Summary};
use crate::faults::{self, Point};
use crate::model::Fault;
use crate::wire::Http;

/// How many calls are under way at the same time. More wait in the queue that they come from.
pub const AT_ONCE: usize = 4;

/// The header with the time of the call.
pub const HEADER_TIMESTAMP: &str = "x-labwatch-timestamp";

/// The header with the name of the message.
pub const HEADER_ID: &str = "x-labwatch-id";

/// The header with the signature.
pub const HEADER_SIGNATURE: &str = "x-labwatch-signature";

/// A program that is told.
#[derive(Clone)]
pub struct Webhook {
    /// The route that leads there, for the log.
    pub route: String,
    /// Where it is. It often holds a secret, so it is shown nowhere.
    pub url: Url,
    /// What calls are signed with; `None`: they are not.
    pub secret: Option<SecretString>,
    /// Calls with a limit on their time.
    pub http: Http,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("route", &self.route).finish_non_exhaustive()
    }
}

impl Webhook {
    /// Posts a summary, once.
    ///
    /// # Errors
    /// [`MailFault`] when it was not taken; permanent when the other side will not take the same content later either.
    pub async fn send(&self, summary: &Summary) -> Result<(), MailFault> {
        let body = message::json(summary).map_err(|error| unfit(&error.to_string()))?;
        let headers = self.headers(&message::id(summary), Timestamp::now(), &body)?;
        let answer = self.http.exchange(Method::POST, self.url.clone(), headers, body).await;
        let (status, said) = answer.map_err(|fault| MailFault { fault, permanent: false })?;
        if status.is_success() {
            faults::pass(Point::MailHanded);
            return Ok(());
        }
        Err(MailFault { fault: Fault::Sick { status: status.as_u16(), body: said }, permanent: is_permanent(status) })
    }

    fn headers(&self, id: &str, at: Timestamp, body: &[u8]) -> Result<HeaderMap, MailFault> {
        let timestamp = at.as_second().to_string();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(HeaderName::from_static(HEADER_ID), value(id)?);
        headers.insert(HeaderName::from_static(HEADER_TIMESTAMP), value(&timestamp)?);
        if let Some(secret) = &self.secret {
            let signature = format!("sha256={}", signature(secret, &timestamp, body));
            headers.insert(HeaderName::from_static(HEADER_SIGNATURE), value(&signature)?);
        }
        Ok(headers)
    }
}

/// The signature of a message: HMAC-SHA256 over timestamp, a dot and the body, in lower-case hexadecimal digits.
#[must_use]
pub fn signature(secret: &SecretString, timestamp: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    for part in [timestamp.as_bytes(), b".", body] {
        context.update(part);
    }
    context.sign().as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}"); // a String takes everything
        hex
    })
}

/// What the other side says about the content stays so; what it says about the moment (408, 429, 5xx) passes.
fn is_permanent(status: StatusCode) -> bool {
    status.is_client_error() && !matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

fn value(text: &str) -> Result<HeaderValue, MailFault> {
    HeaderValue::from_str(text).map_err(|error| unfit(&error.to_string()))
}

/// A message that cannot be put together stays so.
fn unfit(why: &str) -> MailFault {
    MailFault { fault: Fault::Protocol(format!("the message cannot be put together: {why}")), permanent: true }
}

/// Posts what comes to every webhook until `stop`, or until no more can come. Each summary ends in one answer, which is good when all
/// took it. What is under way at the stop is finished, or given up after [`STOP_GRACE`].
pub async fn run(webhooks: Vec<Webhook>, mut queue: mpsc::Receiver<Arc<Summary>>, inputs: mpsc::Sender<Input>, stop: CancellationToken) {
    let webhooks: Arc<[Webhook]> = webhooks.into();
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = tasks.join_next() => {}
            next = queue.recv(), if tasks.len() < AT_ONCE => match next {
                Some(summary) => drop(tasks.spawn(deliver(Arc::clone(&webhooks), summary, inputs.clone()))),
                None => break,
            },
        }
    }
    let done = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_GRACE, done).await.is_err() {
        warn!(calls = tasks.len(), "stopping: calls of webhooks that are under way are given up");
        tasks.shutdown().await;
    }
}

async fn deliver(webhooks: Arc<[Webhook]>, summary: Arc<Summary>, inputs: mpsc::Sender<Input>) {
    let mut outcome = Ok(());
    for webhook in webhooks.iter() {
        if let Err(failure) = webhook.send(&summary).await {
            debug!(route = webhook.route, "a webhook does not take the message: {}", failure.fault);
            outcome = Err(failure);
        }
    }
    if inputs.send(Input::Mailed { id: summary.id, outcome }).await.is_err() {
        debug!(message = summary.id, "nobody is left to hear how the message went");
    }
}
