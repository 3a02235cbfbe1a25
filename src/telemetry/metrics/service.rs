//! labwatch's own metrics: its components, categories, queues, store and routes. Values of other
//! modules are read at the scrape, through functions that the service gives.

use std::fmt;

use super::cluster::ClusterMetrics;
use super::encoder::Encoder;
use engine::Snapshot;

/// Functions that are called at the scrape. None may block.
pub struct Inside {
    pub label: String,
    pub service: Box<dyn Fn() -> Service + Send + Sync>,
    pub queues: Vec<Queue>,
    /// The store; `None` when there is none.
    pub store: Option<Box<dyn Fn() -> StoreMetrics + Send + Sync>>,
    /// The cluster; `None` when this labwatch is the only one.
    pub cluster: Option<Box<dyn Fn() -> ClusterMetrics + Send + Sync>>,
}

impl fmt::Debug for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inside")
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

/// labwatch's own health, in cn-infra's numbers: 0 not known yet, 1 ok, 2 not ok.
#[derive(Debug, Clone, Default)]
pub struct Service {
    pub state: u8,
    pub components: Vec<Component>,
    /// Categories, with whether each is ok.
    pub categories: Vec<(String, bool)>,
    pub acknowledged: usize,
    /// Whether the laboratory is being evaluated.
    pub turns: bool,
}

#[derive(Debug, Clone)]
pub struct Component {
    pub name: String,
    /// 0 not known yet, 1 ok, 2 not ok.
    pub state: u8,
}

pub struct Queue {
    pub name: &'static str,
    pub depth: Box<dyn Fn() -> usize + Send + Sync>,
    pub bound: usize,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct StoreMetrics {
    /// Whether entries are on disk within moments.
    pub ok: bool,
    /// How many entries were lost since the start.
    pub lost: u64,
    /// How many entries wait for a disk.
    pub waiting: usize,
}

pub(super) fn write(
    encoder: &mut Encoder<'_>,
    snapshot: &Snapshot,
    inside: &Inside,
) -> fmt::Result {
    let label = inside.label.as_str();
    encoder
        .gauges("service_info", "Which labwatch this is; always 1")?
        .set(
            [
                ("service", label),
                ("build_version", env!("CARGO_PKG_VERSION")),
            ],
            1_u64,
        )?;
    let service = (inside.service)();
    encoder
        .gauges(
            "service_health",
            "labwatch's own health: 0 not known yet, 1 ok, 2 not ok",
        )?
        .set([("service", label)], u64::from(service.state))?;
    let mut parts = encoder.gauges(
        "service_dependency_health",
        "The health of what labwatch needs: 0 not known yet, 1 ok, 2 not ok",
    )?;
    for component in &service.components {
        parts.set(
            [("service", label), ("dependency", component.name.as_str())],
            u64::from(component.state),
        )?;
    }
    let mut categories = encoder.gauges(
        "lab_category_ok",
        "Whether the category is ok (1) or not (0)",
    )?;
    for (name, ok) in &service.categories {
        categories.set([("category", name.as_str())], u64::from(*ok))?;
    }
    encoder.gauge(
        "lab_acks",
        "How many acknowledgements hold",
        super::lab::count(service.acknowledged),
    )?;
    encoder.gauge(
        "lab_pilot_light",
        "1 while the laboratory is being evaluated, 0 when the evaluation has stopped",
        u64::from(service.turns),
    )?;
    encoder.count(
        "labwatch_checks",
        "How often the laboratory was evaluated",
        snapshot.version,
    )?;
    encoder.gauge(
        "labwatch_snapshot_time_seconds",
        "When the newest snapshot was taken, in seconds of Unix time",
        snapshot.at.as_second(),
    )?;
    deliveries(encoder, snapshot)?;
    queues(encoder, &inside.queues)?;
    inside
        .store
        .as_ref()
        .map_or(Ok(()), |store| kept(encoder, store()))
}

fn deliveries(encoder: &mut Encoder<'_>, snapshot: &Snapshot) -> fmt::Result {
    let mut failures = encoder.gauges(
        "labwatch_mail_failures",
        "How many attempts to notify the recipients of the route failed in a row",
    )?;
    for route in &snapshot.routes {
        failures.set([("route", route.name.as_str())], u64::from(route.failures))?;
    }
    let mut waiting = encoder.gauges(
        "labwatch_mail_waiting_seconds",
        "How long the oldest pending notification of the route has been waiting, in seconds; 0 when none is pending",
    )?;
    for route in &snapshot.routes {
        let waits = route.waiting_since.map_or(0.0, |since| {
            snapshot.at.duration_since(since).as_secs_f64().max(0.0)
        });
        waiting.set([("route", route.name.as_str())], waits)?;
    }
    Ok(())
}

fn queues(encoder: &mut Encoder<'_>, queues: &[Queue]) -> fmt::Result {
    let mut depths = encoder.gauges("labwatch_queue_depth", "How much waits in the queue")?;
    for queue in queues {
        depths.set([("queue", queue.name)], super::lab::count((queue.depth)()))?;
    }
    let mut bounds = encoder.gauges("labwatch_queue_bound", "How much fits into the queue")?;
    for queue in queues {
        bounds.set([("queue", queue.name)], super::lab::count(queue.bound))?;
    }
    Ok(())
}

fn kept(encoder: &mut Encoder<'_>, store: StoreMetrics) -> fmt::Result {
    encoder.gauge(
        "labwatch_store_ok",
        "Whether entries are on disk within moments (1) or the disk cannot be written (0)",
        u64::from(store.ok),
    )?;
    encoder.gauge(
        "labwatch_store_waiting",
        "How many entries wait for the disk",
        super::lab::count(store.waiting),
    )?;
    encoder.count(
        "labwatch_store_lost",
        "How many entries were lost because the disk took nothing for too long",
        store.lost,
    )
}
