//! The dead-man URL: requested as long as labwatch works, so that another service notices when it
//! does not. Blocks nothing and decides nothing.
//!
//! It is requested only after a *good check*. A check is good when all of this holds, each for a
//! reason:
//!
//! - The loop has turned since the last request: a process that is alive but stuck is what the URL
//!   is for.
//! - Some source reports, so that labwatch is neither blind nor merely started: a labwatch that is
//!   restarted again and again, or cut off from the laboratory, watches nothing.
//! - The store can be written: otherwise labwatch would not know after the next restart what was
//!   notified.
//!
//! That relay, jump or book is down, that experiments are down, or that a mail is not accepted is
//! no reason to stop the requests: labwatch sees that, and reports it by its own channels.

use std::sync::Arc;

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::HeaderMap;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::clients::Http;
use crate::config::DeadMan;
use engine::Snapshot;
use engine::model::{CallError, SourceHealth};

/// What is requested, and how.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The URL, and the pause between two requests.
    pub settings: DeadMan,
    /// A client with a time limit.
    pub http: Http,
}

/// State of the requests, for the components.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadManView {
    /// When a request last succeeded.
    pub last_taken: Option<Timestamp>,
    /// Why the last request failed; `None` when it succeeded.
    pub fault: Option<CallError>,
    /// How many requests failed in a row.
    pub failures: u32,
}

/// Called after each request with the new state.
pub type CallObserver = Box<dyn FnMut(&DeadManView) + Send>;

/// Whether the store can be written.
pub type StoreIsWritable = Box<dyn Fn() -> bool + Send + Sync>;

/// Requests the URL after each good check, with the configured pause, until `stop`.
pub async fn run(
    caller: Caller,
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    store_is_writable: StoreIsWritable,
    mut notified: CallObserver,
    stop: CancellationToken,
) {
    let calling = async {
        let mut view = DeadManView::default();
        loop {
            snapshots.mark_unchanged();
            good_check(&mut snapshots, &store_is_writable).await;
            view = note(call(&caller).await, &view);
            notified(&view);
            tokio::time::sleep(caller.settings.every).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = calling => {}
    }
}

/// Waits for the next turn of the loop after which all conditions hold. Never returns once the loop
/// has ended.
async fn good_check(
    snapshots: &mut watch::Receiver<Arc<Snapshot>>,
    store_is_writable: &StoreIsWritable,
) {
    while snapshots.changed().await.is_ok() {
        if has_reporting_source(&snapshots.borrow_and_update()) && store_is_writable() {
            return;
        }
    }
    std::future::pending::<()>().await;
}

/// Whether some source reports.
fn has_reporting_source(snapshot: &Snapshot) -> bool {
    snapshot.blind.is_none()
        && snapshot
            .sources
            .iter()
            .any(|source| matches!(source.health, SourceHealth::Live | SourceHealth::Late))
}

async fn call(caller: &Caller) -> Result<(), CallError> {
    caller
        .http
        .call_hidden(
            Method::GET,
            caller.settings.url.expose().clone(),
            HeaderMap::new(),
            Vec::new(),
        )
        .await
}

/// The state after an outcome. Logs it when it differs from the last one.
fn note(outcome: Result<(), CallError>, before: &DeadManView) -> DeadManView {
    let after = match outcome {
        Ok(()) => DeadManView {
            last_taken: Some(Timestamp::now()),
            fault: None,
            failures: 0,
        },
        Err(fault) => DeadManView {
            fault: Some(fault),
            failures: before.failures.saturating_add(1),
            last_taken: before.last_taken,
        },
    };
    match (&before.fault, &after.fault) {
        (Some(_), None) => info!(
            failed = before.failures,
            "the heartbeat URL is reached again"
        ),
        (None, None) if before.last_taken.is_none() => info!("the heartbeat URL is reached"),
        (None, Some(fault)) => {
            warn!(
                fault = fault.as_str(),
                "the heartbeat URL is not reached, retrying; check DEAD_MAN_URL: {fault}"
            );
        }
        (Some(was), Some(is)) if was != is => warn!(
            fault = is.as_str(),
            "the heartbeat URL is still not reached: {is}"
        ),
        (Some(_), Some(_)) | (None, None) => {}
    }
    after
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
    use std::time::Duration;

    use axum::Router;
    use axum::http::StatusCode;
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use super::*;
    use crate::clients;
    use crate::config::{Sources, load};
    use engine::model::Moment;
    use engine::{Engine, Policy};

    /// A server that counts requests, and a loop that turns when the test asks for it.
    struct Bench {
        calls: Arc<AtomicUsize>,
        answer: Arc<AtomicU16>,
        store: Arc<AtomicBool>,
        snapshots: watch::Sender<Arc<Snapshot>>,
        views: watch::Receiver<DeadManView>,
        _tasks: JoinSet<()>,
    }

    impl Bench {
        async fn start() -> Self {
            let (calls, answer, store) = (
                Arc::new(AtomicUsize::new(0)),
                Arc::new(AtomicU16::new(200)),
                Arc::new(AtomicBool::new(true)),
            );
            let (count, status, well) =
                (Arc::clone(&calls), Arc::clone(&answer), Arc::clone(&store));
            let called = move || async move {
                count.fetch_add(1, Ordering::SeqCst);
                StatusCode::from_u16(status.load(Ordering::SeqCst)).expect("a status")
            };
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let url = format!("http://{}/alive", listener.local_addr().expect("bound"));
            let mut tasks = JoinSet::new();
            tasks.spawn(async move {
                axum::serve(listener, Router::new().fallback(called))
                    .await
                    .expect("serves");
            });
            let (snapshots, seen) = watch::channel(Arc::new(snapshot()));
            let (sender, views) = watch::channel(DeadManView::default());
            let notified =
                Box::new(move |view: &DeadManView| drop(sender.send_replace(view.clone())));
            let store_is_writable = Box::new(move || well.load(Ordering::SeqCst));
            tasks.spawn(run(
                caller(&url),
                seen,
                store_is_writable,
                notified,
                CancellationToken::new(),
            ));
            Self {
                calls,
                answer,
                store,
                snapshots,
                views,
                _tasks: tasks,
            }
        }

        /// The loop turns, and publishes this snapshot.
        fn turns(&self, change: impl FnOnce(&mut Snapshot)) {
            let mut shown = snapshot();
            shown.sources[0].health = SourceHealth::Live;
            change(&mut shown);
            self.snapshots.send_replace(Arc::new(shown));
        }

        /// The loop turns until it is called for the `count`th time, and what is seen of that.
        async fn called(&mut self, count: usize) -> DeadManView {
            while self.calls.load(Ordering::SeqCst) < count
                || !self.views.has_changed().expect("it runs")
            {
                self.turns(|_| {});
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            self.views.borrow_and_update().clone()
        }
    }

    fn snapshot() -> Snapshot {
        let now = Moment::new(
            Timestamp::from_second(1_800_000_000).expect("in range"),
            Duration::from_secs(1_000),
        );
        Engine::new(Policy::default(), now).snapshot()
    }

    fn caller(url: &str) -> Caller {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let sources = Sources::of_laboratory("a", &[("dead_man_url", url)]);
        let config = load(&sources).expect("loads").config;
        let settings = DeadMan {
            every: Duration::from_millis(20),
            ..config.notifications.dead_man.expect("one")
        };
        Caller {
            settings,
            http: Http::new(
                Duration::from_secs(5),
                clients::client_config(false).expect("TLS"),
            )
            .expect("a client"),
        }
    }

    #[tokio::test]
    async fn only_a_good_check_is_followed_by_a_call() {
        let mut bench = Bench::start().await;
        let bad: [fn(&mut Snapshot); 2] = [
            |it| it.sources[0].health = SourceHealth::Starting,
            |it| it.blind = Some(it.at),
        ];
        for change in bad {
            bench.turns(change);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bench.store.store(false, Ordering::SeqCst);
        bench.turns(|_| {});
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(bench.calls.load(Ordering::SeqCst), 0);

        bench.store.store(true, Ordering::SeqCst);
        assert!(bench.called(1).await.last_taken.is_some());
        bench.called(2).await;
        let before = bench.calls.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(
            bench.calls.load(Ordering::SeqCst) <= before + 1,
            "a loop that stands still is not alive"
        );
    }

    #[tokio::test]
    async fn a_call_that_fails_is_seen_and_tried_again() {
        let mut bench = Bench::start().await;
        bench.answer.store(503, Ordering::SeqCst);
        let mut failed = bench.called(1).await;
        while failed.failures < 2 {
            failed = bench.called(2).await;
        }
        assert_eq!(
            (failed.fault.map(|fault| fault.as_str()), failed.last_taken),
            (Some("sick"), None)
        );
        bench.answer.store(200, Ordering::SeqCst);
        let mut taken = bench.called(3).await;
        while taken.fault.is_some() {
            taken = bench.called(4).await;
        }
        assert!(taken.last_taken.is_some() && taken.failures == 0);
    }
}
