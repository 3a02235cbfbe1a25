//! The shared state of the handlers that read the laboratory.

use std::sync::Arc;

use tokio::sync::watch;

use super::response_cache::Shared;
use super::v2::{JsonCache, Live, Past};
use crate::health::HealthState;
use engine::Snapshot;

pub(super) struct Served {
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(super) past: Past,
    pub(super) live: Arc<Live>,
    /// The state of the categories, where there is one.
    pub(super) health_state: Option<HealthState>,
    /// The list of version 1 for readers without access to private data.
    pub(super) open: Shared<Snapshot>,
    /// The list of version 1 for readers with it.
    pub(super) whole: Shared<Snapshot>,
    pub(super) json_cache: JsonCache,
}

impl Served {
    /// The newest snapshot. The channel is locked only to clone the reference.
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }
}
