//! The memory as the loop sees it: takes records, and says when some are lost. Never waits for the disk.

use jiff::Timestamp;
use tokio::sync::watch;

use crate::failpoints;
use crate::store::{Clerk, Progress, Store, Ticket};
use engine::Record;

/// The memory, with the clerk who writes into it.
#[derive(Debug)]
pub struct Journal {
    store: Store,
    clerk: Clerk,
    progress: watch::Receiver<Progress>,
    /// How many entries were lost when it was last looked at.
    lost: u64,
}

impl Journal {
    /// A ledger in this store.
    #[must_use]
    pub fn new(store: Store, clerk: Clerk) -> Self {
        let progress = store.progress();
        Self {
            store,
            clerk,
            progress,
            lost: 0,
        }
    }

    /// The store, for those who ask how it is or what it holds.
    #[must_use]
    pub fn store(&self) -> Store {
        self.store.clone()
    }

    /// Hands the records over to be written, all or none.
    pub(super) fn enter(&mut self, records: &[Record], at: Timestamp) -> Option<Ticket> {
        records.iter().for_each(failpoints::pass_before);
        let entries: Vec<_> = records
            .iter()
            .flat_map(|record| self.clerk.entries(record, at))
            .collect();
        (!entries.is_empty()).then(|| self.store.write(entries))
    }

    /// How far the writing is.
    pub(super) fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Waits until the store has written more. Without an end when it has ended, as nothing will be written then.
    pub(super) async fn written(&mut self) {
        if self.progress.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Says when entries begin to be lost; the store itself says when it fails and recovers.
    pub(super) fn notice_losses(&mut self) {
        let lost = self.store.health().lost;
        if std::mem::replace(&mut self.lost, lost) == 0 && lost > 0 {
            tracing::error!(
                lost,
                "the memory has begun to lose entries: its disk takes them too slowly or not at all. Free space on it, or mend it; \
                 the history has a hole, and a restart now may tell people again what they know"
            );
        }
    }
}
