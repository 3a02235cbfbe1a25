//! The state of the pages' handlers.

use std::sync::Arc;

use jiff::tz::TimeZone;
use tokio::sync::watch;

use super::pools;
use crate::cluster::View;
use crate::http::{Categories, OrderState, Reports};
use crate::store::Store;
use engine::Snapshot;

#[derive(Clone)]
pub struct WebState {
    /// The newest snapshot. There is always one; before the first report it is empty.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    pub store: Option<Store>,
    pub cluster: Option<watch::Receiver<Arc<View>>>,
    /// The address of the server-sent events; `None` makes pages poll every few seconds.
    pub stream: Option<&'static str>,
    /// Takes the commands of maintainers; without it the pages are read-only.
    pub orders: Option<OrderState>,
    /// The status of the categories, and the commands to open and close them.
    pub categories: Option<Categories>,
    /// Makes reports.
    pub reports: Reports,
    /// The path below which browsers reach the pages, without a slash at its end: a proxy may serve
    /// us below one of its own.
    pub base: Arc<str>,
    /// The name of the installation.
    pub label: Arc<str>,
    /// The named time zone for times typed into forms, by the current settings.
    pub zone: Arc<dyn Fn() -> TimeZone + Send + Sync>,
    /// The titles of pools for students, by name.
    pub title: Arc<pools::PoolTitle>,
}
