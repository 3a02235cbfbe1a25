//! The memory as the loop sees it: takes records, says once how the store is, and makes a file that was begun anew know what is true.
//! Never waits for the disk.

use jiff::Timestamp;
use tokio::sync::watch;

use crate::engine::{Memory, Record};
use crate::faults;
use crate::store::{Clerk, Progress, Store, StoreHealth, Ticket};

/// The memory, with the clerk who writes into it.
#[derive(Debug)]
pub struct Ledger {
    store: Store,
    clerk: Clerk,
    progress: watch::Receiver<Progress>,
    /// The store's health when it was last looked at.
    said: StoreHealth,
}

impl Ledger {
    /// A ledger in this store.
    #[must_use]
    pub fn new(store: Store, clerk: Clerk) -> Self {
        let (progress, said) = (store.progress(), store.health());
        Self { store, clerk, progress, said }
    }

    /// The store, for those who ask how it is or what it holds.
    #[must_use]
    pub fn store(&self) -> Store {
        self.store.clone()
    }

    /// Hands the records over to be written, all or none.
    pub(super) fn enter(&mut self, records: &[Record], at: Timestamp) -> Option<Ticket> {
        records.iter().for_each(faults::pass_before);
        let entries: Vec<_> = records.iter().flat_map(|record| self.clerk.entries(record, at)).collect();
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

    /// Says when entries begin to be lost; the store itself says when it fails and recovers. True when a file was begun anew, which knows
    /// nothing of what is true: [`Ledger::tell_all`].
    pub(super) fn looks_anew(&mut self) -> bool {
        let now = self.store.health();
        let before = std::mem::replace(&mut self.said, now);
        if before.lost == 0 && self.said.lost > 0 {
            tracing::error!(
                lost = self.said.lost,
                "the memory has begun to lose entries: its disk takes them too slowly or not at all. Free space on it, or mend it; \
                 the history has a hole, and a restart now may tell people again what they know"
            );
        }
        self.said.anew.is_some() && self.said.anew != before.anew
    }

    /// Writes all that is true into the file.
    pub(super) fn tell_all(&mut self, memory: &Memory, at: Timestamp) {
        let parts = self.clerk.all_of(memory, at);
        let refused = parts.into_iter().map(|part| self.store.write(part)).filter(|ticket| !ticket.is_taken()).count();
        tracing::warn!(
            refused,
            "the memory's file was lost while labwatch ran, and a new one is begun: what is true now is written into it; its history begins today"
        );
    }
}
