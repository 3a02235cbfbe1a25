//! The store as the loop sees it: takes the result of a step, and logs when some of it is lost.
//! Never waits for the disk.

use jiff::Timestamp;
use tokio::sync::watch;

use crate::failpoints;
use crate::store::{Entry, Progress, Store, Ticket};
use engine::{Record, StateChange};

/// The store, and its write progress.
#[derive(Debug)]
pub struct Journal {
    store: Store,
    progress: watch::Receiver<Progress>,
    /// How many entries were lost at the last check.
    lost: u64,
}

impl Journal {
    #[must_use]
    pub fn new(store: Store) -> Self {
        let progress = store.progress();
        Self {
            store,
            progress,
            lost: 0,
        }
    }

    /// The store, for health and queries.
    #[must_use]
    pub fn store(&self) -> Store {
        self.store.clone()
    }

    /// Passes a step on to be written, all of it or nothing.
    pub(super) fn enter(
        &mut self,
        records: &[Record],
        changes: Vec<StateChange>,
        at: Timestamp,
    ) -> Option<Ticket> {
        records.iter().for_each(failpoints::pass_before);
        let records = records.iter().cloned();
        let entries: Vec<Entry> = records
            .map(|record| Entry::Record { at, record })
            .chain(changes.into_iter().map(Entry::State))
            .collect();
        (!entries.is_empty()).then(|| self.store.write(entries))
    }

    pub(super) fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Waits until the store has written more; forever once the store has ended, as nothing will be
    /// written then.
    pub(super) async fn written(&mut self) {
        if self.progress.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Logs when entries begin to be lost; the store itself logs when it fails and recovers.
    pub(super) fn notice_losses(&mut self) {
        let lost = self.store.health().lost;
        if std::mem::replace(&mut self.lost, lost) == 0 && lost > 0 {
            tracing::error!(
                lost,
                "the store has begun to lose entries: its disk accepts them too slowly or not at all. Free space on it, or mend it; \
                 the history has a hole, and a restart now may repeat notifications"
            );
        }
    }
}
