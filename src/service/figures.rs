//! The boot story of what is measured: who is asked at the scrape, and who counts.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::{RecordHook, health};
use crate::api;
use crate::engine::Snapshot;
use crate::health::Desk;
use crate::store::{Store, StoreHealth, StoreState};
use crate::telemetry;
use crate::telemetry::metrics::{Counters, HttpCounts, Inside, Metrics, Queue, StoreFigures};

/// Everything that is measured, and who counts answers.
pub(super) fn figures(
    pictures: watch::Receiver<Arc<Snapshot>>,
    counters: &Arc<Counters>,
    queues: Vec<Queue>,
    kept: Option<Store>,
    desk: Desk,
) -> api::Figures {
    let http = Arc::new(HttpCounts::default());
    let store = kept.map(|store| Box::new(move || store_figures(&store.health())) as Box<dyn Fn() -> StoreFigures + Send + Sync>);
    let label = desk.label().to_owned();
    let inside = Inside { label, service: Box::new(move || health::figures(&desk)), queues, store };
    let metrics = Metrics::new(pictures, Arc::clone(counters), Arc::clone(&http), inside);
    api::Figures {
        content_type: telemetry::metrics::CONTENT_TYPE,
        text: Arc::new(move || metrics.text().ok()),
        count: Arc::new(move |route, status, took| http.note(route, status, took)),
    }
}

fn store_figures(health: &StoreHealth) -> StoreFigures {
    StoreFigures { ok: health.state == StoreState::Ok, lost: health.lost, waiting: health.waiting }
}

/// A record goes to the counters, then on.
pub(super) fn counted(mut record: RecordHook, counters: &Arc<Counters>) -> RecordHook {
    let counters = Arc::clone(counters);
    Box::new(move |seen| {
        counters.note(seen);
        record(seen);
    })
}

/// Looks at how much waits in a queue without keeping it open.
pub(super) fn queue<T: Send + 'static>(name: &'static str, sender: &mpsc::Sender<T>) -> Queue {
    let (bound, sender) = (sender.max_capacity(), sender.downgrade());
    let depth = move || sender.upgrade().map_or(0, |sender| sender.max_capacity().saturating_sub(sender.capacity()));
    Queue { name, depth: Box::new(depth), bound }
}
