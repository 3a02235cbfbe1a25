//! The dead-man's call: a URL that is fetched as long as labwatch does its work, so that somebody else notices when it does not.
//! Blocks nothing and decides nothing.
//!
//! It is called only after a *good check*. A check is good when all of this holds, and each for a reason:
//!
//! - The loop has turned since the last call: a process that is alive but stuck is what the call is for.
//! - Some source tells, so that we are not blind and not merely started: a labwatch that is restarted again and again, or cut off from
//!   the laboratory, watches nothing.
//! - The memory can be written: after the next restart it would not know what people were told.
//!
//! That relay, jump or book is down, that experiments are down, or that a mail is not taken is no reason to keep silent: labwatch sees
//! that, and tells of it in its own ways.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::HeaderMap;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use url::Url;

use crate::engine::Snapshot;
use crate::model::{Fault, SourceHealth};
use crate::wire::Http;

/// Where is called, and how often.
#[derive(Debug, Clone)]
pub struct DeadMan {
    /// `DEAD_MAN_URL`. It often holds a secret, so it is shown nowhere.
    pub url: Url,
    /// `DEAD_MAN_EVERY`: the pause between two calls.
    pub every: Duration,
    /// Calls with a limit on their time.
    pub http: Http,
}

/// How calling goes, for whoever wants to see it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadManView {
    /// When a call was last taken.
    pub last_taken: Option<Timestamp>,
    /// Why the last call failed; `None` when it was taken.
    pub fault: Option<Fault>,
    /// How many calls failed in a row.
    pub failures: u32,
}

/// Whether the memory can be written.
pub type MemoryIsWell = Box<dyn Fn() -> bool + Send + Sync>;

/// Calls after each good check, at most once every [`DeadMan::every`], until `stop`.
pub async fn run(
    deadman: DeadMan,
    mut pictures: watch::Receiver<Arc<Snapshot>>,
    memory_is_well: MemoryIsWell,
    views: watch::Sender<DeadManView>,
    stop: CancellationToken,
) {
    let calling = async {
        loop {
            pictures.mark_unchanged();
            good_check(&mut pictures, &memory_is_well).await;
            note(call(&deadman).await, &views);
            tokio::time::sleep(deadman.every).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = calling => {}
    }
}

/// Waits for the loop's next turn after which all is as it should be. When the loop has ended that is never.
async fn good_check(pictures: &mut watch::Receiver<Arc<Snapshot>>, memory_is_well: &MemoryIsWell) {
    while pictures.changed().await.is_ok() {
        if hears(&pictures.borrow_and_update()) && memory_is_well() {
            return;
        }
    }
    std::future::pending().await
}

/// Whether some source tells.
fn hears(snapshot: &Snapshot) -> bool {
    snapshot.blind.is_none() && snapshot.sources.iter().any(|source| matches!(source.health, SourceHealth::Live | SourceHealth::Late))
}

async fn call(deadman: &DeadMan) -> Result<(), Fault> {
    let (status, said) = deadman.http.exchange(Method::GET, deadman.url.clone(), HeaderMap::new(), Vec::new()).await?;
    if status.is_success() { Ok(()) } else { Err(Fault::Sick { status: status.as_u16(), body: said }) }
}

/// Keeps the outcome, and says it when it is another than the last.
fn note(outcome: Result<(), Fault>, views: &watch::Sender<DeadManView>) {
    let before = views.borrow().clone();
    let after = match outcome {
        Ok(()) => DeadManView { last_taken: Some(Timestamp::now()), fault: None, failures: 0 },
        Err(fault) => DeadManView { fault: Some(fault), failures: before.failures.saturating_add(1), ..before },
    };
    match (&before.fault, &after.fault) {
        (Some(_), None) => info!(failed = before.failures, "the dead-man's URL is reached again"),
        (None, None) if before.last_taken.is_none() => info!("the dead-man's URL is reached"),
        (None, Some(fault)) => {
            warn!(fault = fault.word(), "the dead-man's URL is not reached, it is tried again; check DEAD_MAN_URL: {fault}");
        }
        (Some(was), Some(is)) if was != is => warn!(fault = is.word(), "the dead-man's URL is still not reached: {is}"),
        (Some(_), Some(_)) | (None, None) => {}
    }
    views.send_replace(after);
}
