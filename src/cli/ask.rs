//! Asks a running labwatch how it is, within a time limit. Knows where it is from the settings, unless told.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use url::Url;

use super::Failure;
use crate::config::{Sources, load_rules};
use crate::service;
use crate::wire::{self, Http};

/// The longest that one answer may take.
pub const WITHIN: Duration = Duration::from_secs(5);

/// The longest answer that is read, in bytes: the status of 10,000 experiments is about 3 MB.
const MAX_BYTES: usize = 32 << 20;

/// Where labwatch is asked.
#[derive(Debug, Args)]
pub struct Where {
    /// The address of the running labwatch, for example `http://127.0.0.1:3007`. Without it the one that the configuration gives.
    #[arg(long, value_name = "URL")]
    url: Option<Url>,
}

/// A labwatch that can be asked.
pub struct Asked {
    base: Url,
    http: Http,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Answer {
    /// Whether it says that all is well.
    pub fn is_ok(&self) -> bool {
        self.status == 200
    }
}

impl Where {
    /// Finds it.
    ///
    /// # Errors
    /// [`Failure`]: there is no `--url` and the configuration is wrong, or no client can be made.
    pub fn find(&self, sources: &Sources) -> Result<Asked, Failure> {
        let base = match &self.url {
            Some(url) if url.cannot_be_a_base() => return Err(Failure::Usage("--url is not an http or https URL.".to_owned())),
            Some(url) => url.clone(),
            None => local(sources)?,
        };
        let http = wire::client_config(false).and_then(|tls| Http::new(WITHIN, tls));
        let http = http.map_err(|fault| Failure::Unreachable(format!("labwatch cannot be asked: {fault}.")))?;
        Ok(Asked { base, http })
    }
}

impl Asked {
    /// Asks for a path of these segments.
    ///
    /// # Errors
    /// [`Failure::Unreachable`]: there is no answer within [`WITHIN`], or it is not labwatch's.
    pub async fn get(&self, segments: &[&str], query: &[(&str, &str)]) -> Result<Answer, Failure> {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let place = self.base.as_str();
        let answer = self.http.look(url, MAX_BYTES).await;
        let (status, body) = answer.map_err(|fault| Failure::Unreachable(format!("labwatch at {place} is not reachable: {fault}.")))?;
        let body = serde_json::from_slice(&body)
            .map_err(|_| Failure::Unreachable(format!("what answers at {place} is not labwatch: it answered {status}, not in JSON.")))?;
        Ok(Answer { status, body })
    }
}

/// Runs something that asks.
///
/// # Errors
/// What `work` says, or [`Failure::Failed`] when there is no runtime.
pub fn run<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = service::runtime().map_err(|error| Failure::Failed(format!("the runtime cannot be started: {error}.")))?;
    runtime.block_on(work)
}

/// Where the service of this configuration is reached from its own host.
fn local(sources: &Sources) -> Result<Url, Failure> {
    let mut listen = load_rules(sources)?.config.api.listen;
    match listen.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => listen.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => listen.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    Url::parse(&format!("http://{listen}")).map_err(|error| Failure::Failed(format!("{listen} is no address: {error}.")))
}
