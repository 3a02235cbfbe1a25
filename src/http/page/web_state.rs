//! What the pages are made from.

use std::sync::Arc;

use jiff::tz::TimeZone;
use tokio::sync::watch;

use super::pools;
use crate::cluster::View;
use crate::http::{Categories, OrderState, Reports};
use crate::store::Store;
use engine::Snapshot;

/// What the pages are made from.
#[derive(Clone)]
pub struct WebState {
    /// The newest snapshot. There is always one; before the first report it is empty.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// The store, where there is one.
    pub store: Option<Store>,
    /// The replicas, where there are several.
    pub cluster: Option<watch::Receiver<Arc<View>>>,
    /// Where changes are streamed from as server-sent events; `None` lets pages ask again every
    /// few seconds.
    pub stream: Option<&'static str>,
    /// Takes the commands of maintainers; without it the pages only show.
    pub orders: Option<OrderState>,
    /// How categories stand, and the way to open and close them.
    pub categories: Option<Categories>,
    /// Makes reports.
    pub reports: Reports,
    /// The path below which people reach the pages, without a slash at its end: a proxy may serve
    /// us below one of its own.
    pub base: Arc<str>,
    /// What the installation is called.
    pub label: Arc<str>,
    /// The zone of times that are typed into forms, as it is set at the moment. It has a name.
    pub zone: Arc<dyn Fn() -> TimeZone + Send + Sync>,
    /// What students read instead of a pool's name, where it has a title.
    pub title: Arc<pools::PoolTitle>,
}
