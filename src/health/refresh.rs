//! Checks everything on request: one run at a time, bounded in time and in frequency.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::handle::HealthState;
use super::probe::Asker;
use super::snapshot::HealthSnapshot;
use engine::Snapshot;
use engine::model::SourceName;

/// The longest that a run takes.
pub const FRESH_WITHIN: Duration = Duration::from_secs(4);

/// The shortest time between two runs: requests in between get the results of the last one.
pub const NOT_AGAIN_WITHIN: Duration = Duration::from_secs(5);

/// Makes book be polled now, without waiting.
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
    /// Refreshes the snapshots of `health_state`.
    pub fn new(health_state: HealthState, probes: Asker, poll_book: PollBook) -> Self {
        Self {
            health_state,
            probes,
            poll_book,
            last: Mutex::default(),
        }
    }

    /// A snapshot taken after everything was checked. Callers during a run share it; soon after a
    /// run they get its results, as from a cache.
    pub async fn snapshot(&self) -> HealthSnapshot {
        let asked = Instant::now();
        let mut last = self.last.lock().await;
        if last.is_none_or(|last| last.elapsed() >= NOT_AGAIN_WITHIN) {
            self.run().await;
            *last = Some(Instant::now());
        }
        let is_fresh = last.is_some_and(|last| last >= asked);
        drop(last);
        HealthSnapshot {
            is_fresh,
            ..self.health_state.snapshot()
        }
    }

    async fn run(&self) {
        tokio::join!(self.probes.ask_all(FRESH_WITHIN), self.read_book());
    }

    /// Waits until a newer report of book has arrived, for as long as a run may take.
    async fn read_book(&self) {
        let mut snapshots = self.health_state.snapshots();
        let last_report = |snapshot: &Snapshot| snapshot.source(SourceName::Book).last_report;
        let before = last_report(&snapshots.borrow());
        (self.poll_book)();
        // Both errors mean that the last answer is the newest that there is.
        let _ = timeout(
            FRESH_WITHIN,
            snapshots.wait_for(|snapshot| last_report(snapshot) > before),
        )
        .await;
    }
}
