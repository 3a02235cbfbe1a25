//! The connection to etcd, for all its users: set-up, time limits and faults.

mod fault;

use std::future::Future;
use std::time::Duration;

use etcd_client::{
    Certificate, Client, ConnectOptions, GetOptions, Identity, KvClient, TlsOptions, WatchClient,
};
use secrecy::ExposeSecret;
use tokio::task::JoinSet;

use crate::config::EtcdSettings;

pub use fault::Fault;

/// The longest that one request to etcd may take.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// The pause before the first retry; each further one is twice as long.
pub const FIRST_RETRY: Duration = Duration::from_millis(200);

/// The longest pause between two attempts: a free lead is taken soon after etcd is back.
const LONGEST_RETRY: Duration = Duration::from_secs(2);

/// Pings over a connection with open streams: without them no stream notices a member that hangs. A
/// member closes a connection that pings more often than every 5 s (its
/// `--grpc-keepalive-min-time`), or that has no open stream.
const PING_EVERY: Duration = Duration::from_secs(6);

/// A connection whose ping is not answered for so long is closed.
const PONG_WITHIN: Duration = Duration::from_secs(3);

/// The longest that connecting to one member may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// The most operations of one transaction: etcd accepts 128 by default.
const MAX_OPERATIONS: usize = 100;

/// The most bytes of one transaction: etcd accepts 1.5 MiB by default.
pub const MAX_BYTES: usize = 1 << 20;

/// The longest answer: the state of ten thousand experiments has some ten MiB. The client's default
/// is 4 MiB.
const MAX_ANSWER_BYTES: usize = 256 << 20;

/// How long members are waited for that have not reported to which cluster they belong.
const MEMBER_WITHIN: Duration = Duration::from_secs(1);

/// A client for queries with long answers.
pub fn reader(client: &Client) -> KvClient {
    client
        .kv_client()
        .max_decoding_message_size(MAX_ANSWER_BYTES)
}

/// A client for a watch with many events at once.
pub fn watcher(client: &Client) -> WatchClient {
    client
        .watch_client()
        .max_decoding_message_size(MAX_ANSWER_BYTES)
}

/// Operations, each with its size in bytes, in as few transactions as etcd accepts, in this order.
pub fn packed<T>(operations: impl Iterator<Item = (T, usize)>) -> Vec<Vec<T>> {
    let mut all: Vec<Vec<T>> = Vec::new();
    let mut bytes = 0;
    for (operation, size) in operations {
        match all.last_mut() {
            Some(open) if open.len() < MAX_OPERATIONS && bytes + size <= MAX_BYTES => {
                open.push(operation);
                bytes += size;
            }
            _ => {
                all.push(vec![operation]);
                bytes = size;
            }
        }
    }
    all
}

/// The pause after a failed attempt.
#[must_use]
pub fn longer(pause: Duration) -> Duration {
    (pause * 2).min(LONGEST_RETRY)
}

/// Waits for an answer within a time limit.
///
/// # Errors
/// The fault of etcd, or [`Fault::Slow`].
pub async fn within<T>(
    limit: Duration,
    asking: impl Future<Output = Result<T, etcd_client::Error>>,
) -> Result<T, Fault> {
    match tokio::time::timeout(limit, asking).await {
        Ok(answer) => answer.map_err(Fault::from),
        Err(_) => Err(Fault::Slow(limit)),
    }
}

/// Connects. Each request has its own time limit: one for all would end a campaign, which waits for
/// its turn.
///
/// # Errors
/// [`Fault`].
pub async fn connect(settings: &EtcdSettings) -> Result<Client, Fault> {
    let options = options(settings)?;
    within(
        ANSWER_WITHIN,
        Client::connect(&settings.endpoints, Some(options)),
    )
    .await
}

/// Rejects endpoints of different etcd clusters, as where each member was started alone: every
/// request goes to any of them, and so one replica could lead in each. Members that do not answer
/// are not counted.
///
/// # Errors
/// [`Fault::Several`].
pub async fn is_one(settings: &EtcdSettings) -> Result<(), Fault> {
    let mut asking = JoinSet::new();
    let all = &settings.endpoints;
    for endpoint in all.iter().filter(|_| all.len() > 1) {
        let endpoint = endpoint.clone();
        let settings = EtcdSettings {
            endpoints: vec![endpoint.clone()],
            ..settings.clone()
        };
        asking.spawn(async move {
            let asked = async { connect(&settings).await.ok()?.status().await.ok() };
            let status = tokio::time::timeout(MEMBER_WITHIN, asked).await.ok()??;
            Some((status.header()?.cluster_id(), endpoint))
        });
    }
    let mut known: Option<(u64, String)> = None;
    while let Some(answer) = asking.join_next().await {
        let Some((id, endpoint)) = answer.ok().flatten() else {
            continue;
        };
        let (first, other) = known.get_or_insert_with(|| (id, endpoint.clone()));
        if *first != id {
            let mut both = [std::mem::take(other), endpoint];
            both.sort();
            let [first, second] = both;
            return Err(Fault::Several(first, second));
        }
    }
    Ok(())
}

/// Whether etcd accepts us, has a quorum, and lets us read these keys, as text. A key that ends in
/// a
/// slash stands for all below it.
///
/// # Errors
/// The fault, as text.
pub async fn reach(settings: &EtcdSettings, keys: &[String]) -> Result<String, String> {
    let in_words = |fault: Fault| fault.to_string();
    is_one(settings).await.map_err(in_words)?;
    let mut client = connect(settings).await.map_err(in_words)?;
    let status = within(ANSWER_WITHIN, client.status());
    let status = status.await.map_err(in_words)?;
    for key in keys {
        let one = GetOptions::new().with_keys_only().with_limit(1);
        let one = if key.ends_with('/') {
            one.with_prefix()
        } else {
            one
        };
        let read = within(ANSWER_WITHIN, client.get(key.as_str(), Some(one)));
        let read = read.await;
        read.map_err(|fault| format!("{fault}; at the reading of {key}"))?;
    }
    Ok(format!("etcd {} lets us in", status.version()))
}

fn options(settings: &EtcdSettings) -> Result<ConnectOptions, Fault> {
    let mut options = ConnectOptions::new()
        .with_keep_alive(PING_EVERY, PONG_WITHIN)
        .with_keep_alive_while_idle(false)
        .with_connect_timeout(CONNECT_WITHIN)
        .with_require_leader(true);
    if let Some((user, password)) = &settings.user {
        options = options
            .with_user(user, password.expose_secret())
            .with_auto_token_refresh(true);
    }
    let is_secure = settings
        .endpoints
        .iter()
        .any(|endpoint| endpoint.starts_with("https:"));
    if is_secure {
        options = options.with_tls(tls(settings)?);
    }
    Ok(options)
}

fn tls(settings: &EtcdSettings) -> Result<TlsOptions, Fault> {
    let read = |key: &str, path: &std::path::Path| {
        std::fs::read(path).map_err(|error| {
            Fault::Settings(format!("{key} {} cannot be read: {error}", path.display()))
        })
    };
    let mut tls = TlsOptions::new();
    match &settings.ca {
        Some(ca) => {
            tls = tls.ca_certificate(Certificate::from_pem(read("cluster_tls_ca", ca)?));
        }
        None => tls = tls.with_native_roots(),
    }
    if let Some((cert, key)) = &settings.identity {
        let cert = read("cluster_tls_cert", cert)?;
        let key = read("cluster_tls_key", key)?;
        tls = tls.identity(Identity::from_pem(cert, key));
    }
    Ok(tls)
}
