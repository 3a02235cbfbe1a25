//! Requests to a running labwatch, with a time limit. Takes its address from the settings, unless
//! given.

use std::ops::RangeInclusive;
use std::time::Duration;

use axum::body::Bytes;
use clap::Args;
use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::Value;
use tokio::runtime::Runtime;
use url::Url;

use super::failure::Failure;
use super::local_instance;
use crate::clients::{self, Http};
use crate::config::{ApiRead, ApiTls, Sources, load, load_rules};
use crate::http::auth::{Authority, Grant, Reportable, Scope};
use crate::service;
use engine::model::{CallError, parse_duration};

/// The time limit of one request.
pub const WITHIN: Duration = Duration::from_secs(5);

/// The longest answer that is read, in bytes: the status of 10,000 experiments is about 3 MB.
const MAX_BYTES: usize = 32 << 20;

/// Address of the labwatch.
#[derive(Debug, Args)]
pub struct Where {
    /// The address of the running labwatch, for example `http://127.0.0.1:3007`. Without it the one that the configuration gives.
    #[arg(long, value_name = "URL")]
    url: Option<Url>,
    /// The port of the running labwatch on this host, where it is not the one that the
    /// configuration gives.
    #[arg(long, value_name = "PORT", conflicts_with = "url")]
    port: Option<u16>,
}

/// Lifetime of the token that is sent where reading needs one: it is made for one request.
const OWN_LIFE: Duration = Duration::from_secs(60);

/// A labwatch to which requests can be sent.
pub struct Asked {
    base: Url,
    http: Http,
    /// Makes tokens, where the configuration holds the secret.
    authority: Option<Authority>,
    /// Whether reading needs a token.
    must_show: bool,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Answer {
    /// Whether the status is a success.
    pub fn is_ok(&self) -> bool {
        self.status == 200
    }
}

impl Where {
    /// The labwatch of these arguments.
    ///
    /// # Errors
    /// [`Failure`]: there is no `--url` and the configuration is wrong, or no client can be
    /// created.
    pub fn find(&self, sources: &Sources) -> Result<Asked, Failure> {
        match &self.url {
            Some(url) if url.cannot_be_a_base() => Err(Failure::Usage(
                "--url is not an http or https URL.".to_owned(),
            )),
            Some(url) => Ok(Asked {
                base: url.clone(),
                http: http(None, false)?,
                authority: None,
                must_show: false,
            }),
            None => local(sources, self.port),
        }
    }
}

impl Asked {
    /// The one that runs with this configuration on this host.
    ///
    /// # Errors
    /// [`Failure`]: the configuration is wrong, or it has no API.
    pub fn local(sources: &Sources) -> Result<Self, Failure> {
        local(sources, None)
    }

    /// GET of the path of these segments.
    ///
    /// # Errors
    /// [`Failure::Unreachable`]: there is no answer within [`WITHIN`], or it is not labwatch's.
    pub async fn get(&self, segments: &[&str], query: &[(&str, &str)]) -> Result<Answer, Failure> {
        let mut url = self.at(segments);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let token = self
            .authority
            .as_ref()
            .filter(|_| self.must_show)
            .and_then(|authority| own_token(authority, Scope::Read));
        let answer = self.http.look(url, token.as_deref(), MAX_BYTES).await;
        self.understood(answer)
    }

    /// POST to the path of these segments, with an admin token of its configuration.
    ///
    /// # Errors
    /// As [`Asked::get`], and [`Failure::Usage`] without a secret for the token.
    pub async fn post(&self, segments: &[&str]) -> Result<Answer, Failure> {
        let token = self
            .authority
            .as_ref()
            .and_then(|authority| own_token(authority, Scope::Admin))
            .ok_or_else(|| {
                let why = "secret_api must be set, on the host of that labwatch: the command makes itself a token with it.";
                Failure::Usage(why.to_owned())
            })?;
        let mut headers = HeaderMap::new();
        let shown = HeaderValue::try_from(format!("Bearer {token}"));
        headers.extend(shown.ok().map(|shown| (AUTHORIZATION, shown)));
        let content = (headers, Bytes::new());
        let answer = self
            .http
            .pass_on(Method::POST, self.at(segments), content, MAX_BYTES)
            .await;
        self.understood(answer.map(|(status, _, body)| (status.as_u16(), body)))
    }

    fn at(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    fn understood(&self, answer: Result<(u16, Vec<u8>), CallError>) -> Result<Answer, Failure> {
        let place = self.base.as_str();
        let (status, body) = answer.map_err(|fault| {
            Failure::Unreachable(format!("labwatch at {place} is not reachable: {fault}."))
        })?;
        let body: Value = serde_json::from_slice(&body).map_err(|_| {
            Failure::Unreachable(format!(
                "what answers at {place} is not labwatch: it answered {status}, not in JSON."
            ))
        })?;
        if matches!(status, 401 | 403 | 429) {
            let why = body["detail"].as_str().unwrap_or("it does not say why");
            return Err(Failure::Unreachable(format!(
                "labwatch at {place} does not allow reading: {why}."
            )));
        }
        Ok(Answer { status, body })
    }
}

/// Runs requests on a runtime.
///
/// # Errors
/// That of `work`, or [`Failure::Failed`] when there is no runtime.
pub fn run<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = service::runtime()
        .map_err(|error| Failure::Failed(format!("the runtime cannot be started: {error}.")))?;
    runtime.block_on(work)
}

/// A runtime for what needs no threads; `cannot` says what it is for.
pub(super) fn current_thread(cannot: &str) -> Result<Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(|error| Failure::Failed(format!("{cannot}: {error}.")))
}

/// The service of this configuration, on its own host. A user who may not read the secrets can
/// still request what needs no token.
fn local(sources: &Sources, port: Option<u16>) -> Result<Asked, Failure> {
    let mut config = load(sources).or_else(|_| load_rules(sources))?.config;
    if let Some((listen, port)) = config.api.listen.as_mut().zip(port) {
        listen.set_port(port);
    }
    let base = local_instance::base(&config.api)?;
    let base = Url::parse(&base)
        .map_err(|error| Failure::Failed(format!("{base} is no address: {error}.")))?;
    let authority = config.api.secret.as_ref().map(Authority::new);
    Ok(Asked {
        base,
        http: http(config.api.tls.as_ref(), true)?,
        authority,
        must_show: config.api.read != ApiRead::Open,
    })
}

/// What this command grants itself for one question.
pub(super) fn own_grant(scope: Scope) -> Grant {
    Grant {
        name: "command line".to_owned(),
        scopes: [scope].into_iter().collect(),
        reports: Reportable::default(),
        life: OWN_LIFE,
    }
}

fn own_token(authority: &Authority, scope: Scope) -> Option<String> {
    let issued = authority.issue(&own_grant(scope), Timestamp::now());
    issued.ok().map(|issued| issued.token)
}

/// A duration of an argument, within these bounds.
pub(super) fn duration_within(
    text: &str,
    bounds: RangeInclusive<Duration>,
    allowed: &str,
) -> Result<Duration, String> {
    let duration = any_duration(text)?;
    let fits = bounds.contains(&duration);
    fits.then_some(duration).ok_or_else(|| allowed.to_owned())
}

pub(super) fn any_duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

/// An HTTP client. `is_ours`: it is the service of this host, which is reached without a proxy.
fn http(tls: Option<&ApiTls>, is_ours: bool) -> Result<Http, Failure> {
    let cannot = |why: &dyn std::fmt::Display| {
        Failure::Unreachable(format!("labwatch cannot be asked: {why}."))
    };
    let tls = match tls {
        Some(files) => local_instance::trusting(&files.cert).map_err(|error| cannot(&error))?,
        None => clients::client_config(false).map_err(|fault| cannot(&fault))?,
    };
    let http = if is_ours {
        Http::straight(WITHIN, tls)
    } else {
        Http::new(WITHIN, tls)
    };
    http.map_err(|fault| cannot(&fault))
}
