//! The dead-man's call: a URL that is fetched as long as labwatch does its work, so that another
//! service notices when it does not. Blocks nothing and decides nothing.
//!
//! It is called only after a *good check*. A check is good when all of this holds, and each for a
//! reason:
//!
//! - The loop has turned since the last call: a process that is alive but stuck is what the call is
//!   for.
//! - Some source tells, so that we are not blind and not merely started: a labwatch that is
//!   restarted again and again, or cut off from the laboratory, watches nothing.
//! - The memory can be written: after the next restart it would not know what people were told.
//!
//! That relay, jump or book is down, that experiments are down, or that a mail is not taken is no
//! reason to keep silent: labwatch sees that, and tells of it in its own ways.

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

/// Where is called, and how.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Where, and with which pause between two calls.
    pub settings: DeadMan,
    /// Calls with a limit on their time.
    pub http: Http,
}

/// How calling goes, for the components.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadManView {
    /// When a call was last taken.
    pub last_taken: Option<Timestamp>,
    /// Why the last call failed; `None` when it was taken.
    pub fault: Option<CallError>,
    /// How many calls failed in a row.
    pub failures: u32,
}

/// Hears after each call how calling goes.
pub type Told = Box<dyn FnMut(&DeadManView) + Send>;

/// Whether the memory can be written.
pub type MemoryIsWell = Box<dyn Fn() -> bool + Send + Sync>;

/// Calls after each good check, with the pause that is set, until `stop`.
pub async fn run(
    caller: Caller,
    mut pictures: watch::Receiver<Arc<Snapshot>>,
    memory_is_well: MemoryIsWell,
    mut notified: Told,
    stop: CancellationToken,
) {
    let calling = async {
        let mut view = DeadManView::default();
        loop {
            pictures.mark_unchanged();
            good_check(&mut pictures, &memory_is_well).await;
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

/// Waits for the loop's next turn after which all is as it should be. When the loop has ended that
/// is never.
async fn good_check(pictures: &mut watch::Receiver<Arc<Snapshot>>, memory_is_well: &MemoryIsWell) {
    while pictures.changed().await.is_ok() {
        if hears(&pictures.borrow_and_update()) && memory_is_well() {
            return;
        }
    }
    std::future::pending::<()>().await;
}

/// Whether some source tells.
fn hears(snapshot: &Snapshot) -> bool {
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

/// What the outcome makes of the view. Says it when it is another than the last.
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
            "the dead-man's URL is reached again"
        ),
        (None, None) if before.last_taken.is_none() => info!("the dead-man's URL is reached"),
        (None, Some(fault)) => {
            warn!(
                fault = fault.as_str(),
                "the dead-man's URL is not reached, it is tried again; check DEAD_MAN_URL: {fault}"
            );
        }
        (Some(was), Some(is)) if was != is => warn!(
            fault = is.as_str(),
            "the dead-man's URL is still not reached: {is}"
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

    /// A server that waits for calls, and a loop that turns when the test wants it to.
    struct Bench {
        calls: Arc<AtomicUsize>,
        answer: Arc<AtomicU16>,
        memory: Arc<AtomicBool>,
        pictures: watch::Sender<Arc<Snapshot>>,
        views: watch::Receiver<DeadManView>,
        _tasks: JoinSet<()>,
    }

    impl Bench {
        async fn start() -> Self {
            let (calls, answer, memory) = (
                Arc::new(AtomicUsize::new(0)),
                Arc::new(AtomicU16::new(200)),
                Arc::new(AtomicBool::new(true)),
            );
            let (count, status, well) =
                (Arc::clone(&calls), Arc::clone(&answer), Arc::clone(&memory));
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
            let (pictures, seen) = watch::channel(Arc::new(snapshot()));
            let (sender, views) = watch::channel(DeadManView::default());
            let notified =
                Box::new(move |view: &DeadManView| drop(sender.send_replace(view.clone())));
            let memory_is_well = Box::new(move || well.load(Ordering::SeqCst));
            tasks.spawn(run(
                caller(&url),
                seen,
                memory_is_well,
                notified,
                CancellationToken::new(),
            ));
            Self {
                calls,
                answer,
                memory,
                pictures,
                views,
                _tasks: tasks,
            }
        }

        /// The loop turns, and shows this.
        fn turns(&self, change: impl FnOnce(&mut Snapshot)) {
            let mut picture = snapshot();
            picture.sources[0].health = SourceHealth::Live;
            change(&mut picture);
            self.pictures.send_replace(Arc::new(picture));
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
            ..config.telling.dead_man.expect("one")
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
        bench.memory.store(false, Ordering::SeqCst);
        bench.turns(|_| {});
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(bench.calls.load(Ordering::SeqCst), 0);

        bench.memory.store(true, Ordering::SeqCst);
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
