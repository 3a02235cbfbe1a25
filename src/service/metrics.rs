//! Starts what is measured: what is asked at the scrape, what counts, and what is sent to Graphite.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::cluster::Links;
use super::health;
use super::options::RecordHook;
use super::task_set::TaskSet;
use crate::config::Config;
use crate::driver::Outlets;
use crate::health::HealthState;
use crate::store::{Store, StoreHealth, StoreState};
use crate::telemetry::graphite::Graphite;
use crate::telemetry::metrics::{Counters, HttpCounts, Inside, Metrics, Queue, StoreFigures};
use crate::{http, telemetry};
use engine::{Input, Snapshot};

/// Everything that is measured, and who counts answers.
pub(super) fn endpoint(
    (pictures, health_state): (watch::Receiver<Arc<Snapshot>>, HealthState),
    counters: &Arc<Counters>,
    queues: Vec<Queue>,
    kept: Option<Store>,
    cluster: Option<&Links>,
) -> http::MetricsEndpoint {
    let http = Arc::new(HttpCounts::default());
    let store = kept.map(|store| {
        Box::new(move || store_figures(&store.health()))
            as Box<dyn Fn() -> StoreFigures + Send + Sync>
    });
    let label = health_state.label().to_owned();
    let inside = Inside {
        label,
        service: Box::new(move || health::figures(&health_state)),
        queues,
        store,
        cluster: cluster.map(Links::figures),
    };
    let metrics = Metrics::new(pictures, Arc::clone(counters), Arc::clone(&http), inside);
    http::MetricsEndpoint {
        content_type: telemetry::metrics::CONTENT_TYPE,
        text: Arc::new(move || metrics.text().ok()),
        count: Arc::new(move |route, status, took| http.note(route, status, took)),
    }
}

fn store_figures(health: &StoreHealth) -> StoreFigures {
    StoreFigures {
        ok: health.state == StoreState::Ok,
        lost: health.lost,
        waiting: health.waiting,
    }
}

/// A record goes to the counters, then on.
pub(super) fn counted(mut record: RecordHook, counters: &Arc<Counters>) -> RecordHook {
    let counters = Arc::clone(counters);
    Box::new(move |seen| {
        counters.note(seen);
        record(seen);
    })
}

/// The queues before the engine and behind it.
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

/// Looks at how much waits in a queue without keeping it open.
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

/// Starts what reports regularly: to Graphite where that is wanted, and the summary in the log.
pub(super) fn start(
    config: &Config,
    parts: &mut TaskSet,
    pictures: watch::Receiver<Arc<Snapshot>>,
    health_state: &HealthState,
    stop: &CancellationToken,
) {
    start_graphite(config, parts, pictures.clone(), health_state, stop);
    let every = config.health.log_every;
    let summary = telemetry::record_log::summarise(pictures, every, stop.clone());
    parts.spawn("summary in the log", summary);
}

/// Sends metrics to Graphite where that is wanted: of experiments, and of labwatch's own
/// components.
fn start_graphite(
    config: &Config,
    parts: &mut TaskSet,
    pictures: watch::Receiver<Arc<Snapshot>>,
    health_state: &HealthState,
    stop: &CancellationToken,
) {
    let Some(settings) = &config.graphite else {
        return;
    };
    let graphite = Graphite {
        host: settings.host.clone(),
        port: settings.port,
        prefix: settings.prefix.clone(),
        label: config.surfaces.label.clone(),
        every: settings.every,
    };
    let health_state = health_state.clone();
    let components = Box::new(move || health::components(&health_state));
    parts.spawn(
        "figures for Graphite",
        telemetry::graphite::run(graphite, pictures, components, stop.clone()),
    );
}
