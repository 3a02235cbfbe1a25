//! HTTP calls with a bound on everything, and failures told apart by what to do about them.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::header::HeaderMap;
use reqwest::{Method, Response, StatusCode};
use url::Url;

use super::classify::{Way, error_of, error_of_answer, root_cause, said};
use engine::model::CallError;

/// The largest answer that is read, in bytes. Book's list of 10,000 resources is about 2 MB.
pub const MAX_ANSWER_BYTES: usize = 32 << 20;

/// How much of a server's error text is kept, in bytes.
pub const MAX_QUOTED_BYTES: usize = 200;

/// A client with a limit on the time of each call.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
    /// The proxies that the client goes through, for telling their failures from the servers'.
    proxies: Arc<Matcher>,
}

impl Http {
    /// A client whose calls take at most `timeout`, connecting included.
    ///
    /// # Errors
    /// [`CallError::Unreachable`] when no TLS set-up can be made, for example without any CA certificates.
    pub fn new(timeout: Duration, tls: rustls::ClientConfig) -> Result<Self, CallError> {
        let client = reqwest::Client::builder()
            .timeout(timeout)
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("labwatch/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| CallError::Unreachable(root_cause(&error)))?;
        Ok(Self {
            client,
            proxies: Arc::new(Matcher::from_env()),
        })
    }

    /// Sends a request with a bare token and takes the answer's body, where the status is a good one.
    ///
    /// # Errors
    /// A [`CallError`] that says what to do about it.
    pub async fn call(&self, method: Method, url: Url, token: &str) -> Result<Vec<u8>, CallError> {
        let way = Way::to(&self.proxies, &url);
        let request = self
            .client
            .request(method, url)
            .header(reqwest::header::AUTHORIZATION, token);
        let response = request
            .send()
            .await
            .map_err(|error| error_of(&error, &way))?;
        let status = response.status();
        let body = read_bounded(response, MAX_ANSWER_BYTES, &way).await?;
        if status.is_success() {
            Ok(body)
        } else {
            Err(error_of_answer(status, &body, &way))
        }
    }

    /// Sends a request as it is, and takes the status with the beginning of what the answer says, whatever they are.
    ///
    /// # Errors
    /// A [`CallError`] when there is no whole answer within the time limit.
    pub async fn exchange(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<(StatusCode, String), CallError> {
        let way = Way::to(&self.proxies, &url);
        let request = self.client.request(method, url).headers(headers).body(body);
        let mut response = request
            .send()
            .await
            .map_err(|error| error_of(&error, &way))?;
        let mut beginning = Vec::new();
        while beginning.len() < MAX_QUOTED_BYTES
            && let Some(chunk) = response
                .chunk()
                .await
                .map_err(|error| error_of(&error, &way))?
        {
            beginning.extend_from_slice(chunk.get(..MAX_QUOTED_BYTES).unwrap_or(&chunk));
        }
        Ok((response.status(), said(&beginning)))
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
        let way = Way::to(&self.proxies, &url);
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
            .map_err(|error| error_of(&error, &way))?;
        let status = response.status().as_u16();
        Ok((status, read_bounded(response, at_most, &way).await?))
    }
}

async fn read_bounded(
    mut response: Response,
    at_most: usize,
    way: &Way,
) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| error_of(&error, way))?
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
