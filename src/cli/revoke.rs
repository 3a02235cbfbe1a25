//! `labwatch token revoke` and `labwatch token list`: through the API of the labwatch that runs
//! with
//! this configuration, or in its store when none runs. The lock of the store shows which of the two
//! it is.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Client, Method};
use serde_json::Value;
use tokio::time::timeout;

use super::ask::{current_thread, own_grant};
use super::failure::Failure;
use super::output::say;
use super::{local_instance, token};
use crate::config::{ApiTls, Config};
use crate::http::auth::{Revoked, Scope, is_id, revocation, revoked_in};
use crate::service::store_settings;
use crate::store::{Entry, Store, StoreError, StoredState};

/// How long the running labwatch may take to answer, and the disk to write a revocation.
const PATIENCE: Duration = Duration::from_secs(10);

const NO_RUNTIME: &str = "The runtime cannot be started";

/// The longest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 4 << 20;

/// Revokes a token.
///
/// # Errors
/// [`Failure`] when this is not an id, or when it is not revoked for good.
pub(super) fn revoke(id: &str, config: &Config) -> Result<(), Failure> {
    if !is_id(id) {
        return Err(Failure::Usage(
            "That is not the id of a token: it is printed on standard error when the token is made."
                .to_owned(),
        ));
    }
    if let Some((store, _)) = open_store(config)? {
        revoke_at_rest(&store, id)?;
    } else {
        let answer = ask(config, Method::DELETE, &format!("/api/v2/tokens/{id}"))?;
        if answer["kept"] != true {
            let why = "but the store of the running labwatch cannot be written, so it is refused only until the next start; revoke it again later";
            return Err(Failure::Failed(format!("{id} is revoked, {why}.")));
        }
    }
    say(&format!("{id} is revoked."))
}

/// Prints the revoked tokens.
///
/// # Errors
/// [`Failure`] when they cannot be read.
pub(super) fn list(config: &Config) -> Result<(), Failure> {
    let all: Vec<Revoked> = match open_store(config)? {
        Some((_, stored)) => revoked_in(&stored.keep).collect(),
        None => revoked_at(config)?,
    };
    let lines: Vec<_> = all
        .iter()
        .map(|revoked| format!("{} until {:.0}", revoked.id, revoked.until))
        .collect();
    if lines.is_empty() {
        say("Nothing is revoked.")
    } else {
        say(&lines.join("\n"))
    }
}

/// The revoked tokens of the running labwatch, page by page.
fn revoked_at(config: &Config) -> Result<Vec<Revoked>, Failure> {
    let (mut all, mut query) = (Vec::new(), "?limit=1000".to_owned());
    loop {
        let mut page = ask(config, Method::GET, &format!("/api/v2/tokens{query}"))?;
        let items = page.get_mut("items").map(Value::take).unwrap_or_default();
        all.extend(serde_json::from_value::<Vec<Revoked>>(items).unwrap_or_default());
        match page["next"].as_str() {
            // A cursor needs no escaping.
            Some(next) => query = format!("?limit=1000&cursor={next}"),
            None => return Ok(all),
        }
    }
}

/// The store, unless another process has it. It is closed when the value is dropped.
fn open_store(config: &Config) -> Result<Option<(Store, StoredState)>, Failure> {
    let Some(settings) = store_settings(config) else {
        return Ok(None);
    };
    match Store::open(&settings) {
        Ok(opened) => Ok(Some(opened)),
        Err(StoreError::InUse { .. }) => Ok(None),
        Err(error) => Err(Failure::Failed(format!(
            "The store cannot be opened: {error}."
        ))),
    }
}

fn revoke_at_rest(store: &Store, id: &str) -> Result<(), Failure> {
    let (key, value) = revocation(id, Timestamp::now());
    let ticket = store.write(vec![
        Entry::Keep {
            key,
            value: Some(value),
        },
        Entry::Audit {
            at: Timestamp::now(),
            who: "command line".to_owned(),
            what: format!("revoked the token {id}"),
        },
    ]);
    let on_disk = current_thread(NO_RUNTIME)?
        .block_on(async { timeout(PATIENCE, store.durable(ticket)).await.is_ok() });
    if on_disk && ticket.is_taken() && store.health().lost == 0 {
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "{id} is not revoked: the store cannot be written."
    )))
}

/// Sends a request to the running labwatch, with a short-lived token.
fn ask(config: &Config, method: Method, path: &str) -> Result<Value, Failure> {
    let base = local_instance::base(&config.api)?;
    let failed = |why: &str| {
        Failure::Failed(format!(
            "The labwatch that runs at {base} cannot be asked: {why}."
        ))
    };
    let issued = token::authority(config)?
        .issue(&own_grant(Scope::Admin), Timestamp::now())
        .map_err(|error| failed(&error.to_string()))?;
    let client = client(config.api.tls.as_ref()).map_err(|why| failed(&why))?;
    current_thread(NO_RUNTIME)?.block_on(async {
        let sent = client
            .request(method, format!("{base}{path}"))
            .bearer_auth(issued.token)
            .send()
            .await;
        let mut response = sent.map_err(|error| failed(&root_cause(&error)))?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| failed(&root_cause(&error)))?
        {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(failed("its answer is too long"));
            }
            body.extend_from_slice(&chunk);
        }
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status.is_success() {
            return Ok(answer);
        }
        Err(failed(answer["detail"].as_str().unwrap_or(status.as_str())))
    })
}

fn client(tls: Option<&ApiTls>) -> Result<Client, String> {
    let builder = Client::builder()
        .timeout(PATIENCE)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none());
    let builder = match tls {
        None => builder,
        Some(files) => builder.tls_backend_preconfigured(
            local_instance::trusting(&files.cert).map_err(|error| error.to_string())?,
        ),
    };
    builder.build().map_err(|error| root_cause(&error))
}

fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
