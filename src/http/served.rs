//! What the handlers that read the laboratory share.

use std::sync::Arc;

use tokio::sync::watch;

use super::response_cache::Shared;
use super::v2::{Live, Past, Sheets};
use crate::health::HealthState;
use engine::Snapshot;

/// What the handlers share.
pub(super) struct Served {
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(super) past: Past,
    pub(super) live: Arc<Live>,
    /// What knows the categories, where there is one.
    pub(super) health_state: Option<HealthState>,
    /// The list of version 1 without what is private.
    pub(super) open: Shared<Snapshot>,
    /// The list of version 1 with what is private.
    pub(super) whole: Shared<Snapshot>,
    pub(super) sheets: Sheets,
}

impl Served {
    /// The newest snapshot. The channel is held only as long as it takes to count one more reader.
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }
}
