//! Checks everything at request: one run at a time, with a bound on its time, and not more often
//! than is good.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::handle::HealthState;
use super::probe::Asker;
use super::snapshot::Picture;
use engine::Snapshot;
use engine::model::SourceName;

/// The longest that a run takes.
pub const FRESH_WITHIN: Duration = Duration::from_secs(4);

/// After a run there is none for this long: who asks meanwhile gets its results.
pub const NOT_AGAIN_WITHIN: Duration = Duration::from_secs(5);

/// Has book read now, without waiting.
pub type PollBook = Box<dyn Fn() + Send + Sync>;

/// Runs all checks when asked.
pub struct Refresher {
    health_state: HealthState,
    probes: Asker,
    poll_book: PollBook,
    /// When the last run ended.
    last: Mutex<Option<Instant>>,
}

impl Refresher {
    /// A refresher of the pictures of `health_state`.
    pub fn new(health_state: HealthState, probes: Asker, poll_book: PollBook) -> Self {
        Self {
            health_state,
            probes,
            poll_book,
            last: Mutex::default(),
        }
    }

    /// A picture after everything was checked. Those who ask while a run is under way wait for it
    /// and share it; soon after one they get what it found, as from the cache.
    pub async fn picture(&self) -> Picture {
        let asked = Instant::now();
        let mut last = self.last.lock().await;
        if last.is_none_or(|last| last.elapsed() >= NOT_AGAIN_WITHIN) {
            self.run().await;
            *last = Some(Instant::now());
        }
        let is_fresh = last.is_some_and(|last| last >= asked);
        drop(last);
        Picture {
            is_fresh,
            ..self.health_state.picture()
        }
    }

    async fn run(&self) {
        tokio::join!(self.probes.ask_all(FRESH_WITHIN), self.read_book());
    }

    /// Waits until book has told something newer, for as long as a run may take.
    async fn read_book(&self) {
        let mut snapshots = self.health_state.snapshots();
        let notified = |snapshot: &Snapshot| snapshot.source(SourceName::Book).last_report;
        let before = notified(&snapshots.borrow());
        (self.poll_book)();
        // Both errors mean that the last answer is the newest that there is.
        let _ = timeout(
            FRESH_WITHIN,
            snapshots.wait_for(|snapshot| notified(snapshot) > before),
        )
        .await;
    }
}
