//! Starts metrics: the Prometheus endpoint, the counters, and the push to Graphite.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::cluster::Links;
use super::health;
use super::options::RecordHook;
use super::task_set::TaskSet;
use crate::config::Config;
use crate::driver::Outlets;
use crate::health::HealthState;
use crate::store::{Store, StoreHealth, StoreState};
use crate::telemetry::metrics::{Counters, HttpCounts, Inside, Metrics, Queue, StoreMetrics};
use crate::{http, telemetry};
use engine::{Input, Snapshot};

/// The metrics endpoint, and the counters of HTTP responses.
pub(super) fn endpoint(
    (snapshots, health_state): (watch::Receiver<Arc<Snapshot>>, HealthState),
    counters: &Arc<Counters>,
    queues: Vec<Queue>,
    kept: Option<Store>,
    cluster: Option<&Links>,
) -> http::MetricsEndpoint {
    let http = Arc::new(HttpCounts::default());
    let store = kept.map(|store| {
        Box::new(move || store_metrics(&store.health()))
            as Box<dyn Fn() -> StoreMetrics + Send + Sync>
    });
    let label = health_state.label().to_owned();
    let inside = Inside {
        label,
        service: Box::new(move || health::service_metrics(&health_state)),
        queues,
        store,
        cluster: cluster.map(Links::metrics),
    };
    let metrics = Metrics::new(snapshots, Arc::clone(counters), Arc::clone(&http), inside);
    http::MetricsEndpoint {
        content_type: telemetry::metrics::CONTENT_TYPE,
        text: Arc::new(move || metrics.text().ok()),
        count: Arc::new(move |route, status, took| http.note(route, status, took)),
    }
}

fn store_metrics(health: &StoreHealth) -> StoreMetrics {
    StoreMetrics {
        ok: health.state == StoreState::Ok,
        lost: health.lost,
        waiting: health.waiting,
    }
}

/// A hook that counts a record and passes it on.
pub(super) fn counted(mut record: RecordHook, counters: &Arc<Counters>) -> RecordHook {
    let counters = Arc::clone(counters);
    Box::new(move |seen| {
        counters.note(seen);
        record(seen);
    })
}

/// The queues into and out of the engine.
pub(super) fn queues(inputs: &mpsc::Sender<Input>, outlets: &Outlets) -> Vec<Queue> {
    vec![
        queue("inputs", inputs),
        queue("switches", &outlets.switches),
        queue("samples", &outlets.samples),
        queue("pages", &outlets.pages),
        queue("mails", &outlets.mails),
        queue("webhooks", &outlets.webhooks),
    ]
}

/// The length of a queue, without keeping it open.
fn queue<T: Send + 'static>(name: &'static str, sender: &mpsc::Sender<T>) -> Queue {
    let (bound, sender) = (sender.max_capacity(), sender.downgrade());
    let depth = move || {
        sender.upgrade().map_or(0, |sender| {
            sender.max_capacity().saturating_sub(sender.capacity())
        })
    };
    Queue {
        name,
        depth: Box::new(depth),
        bound,
    }
}

/// Starts the regular reports: to Graphite if configured, and the summary in the log.
pub(super) fn start(
    config: &Config,
    parts: &mut TaskSet,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    health_state: &HealthState,
) {
    start_graphite(config, parts, snapshots.clone(), health_state);
    let every = config.log_every;
    let summary = telemetry::record_log::summarise(snapshots, every, parts.stop());
    parts.spawn("summary in the log", summary);
}

/// Sends metrics to Graphite if configured: of experiments, and of labwatch's own components.
fn start_graphite(
    config: &Config,
    parts: &mut TaskSet,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    health_state: &HealthState,
) {
    let Some(settings) = &config.graphite else {
        return;
    };
    let health_state = health_state.clone();
    let components = Box::new(move || health::components(&health_state));
    let sending = telemetry::graphite::run(settings.clone(), snapshots, components, parts.stop());
    parts.spawn("metrics for Graphite", sending);
}
