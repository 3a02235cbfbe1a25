//! labwatch's own metrics: its components, categories, queues, store and routes. Values of other
//! modules are read at the scrape, through functions that the service gives.

use std::fmt;

use super::cluster::ClusterMetrics;
use super::encoder::{Encoder, unlabelled};
use super::lab::count;
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
    /// Components, each with its state as a number.
    pub components: Vec<(String, u8)>,
    /// Categories, with whether each is ok.
    pub categories: Vec<(String, bool)>,
    pub acknowledged: usize,
    /// Whether the laboratory is being evaluated.
    pub turns: bool,
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
    let build = ("build_version", env!("CARGO_PKG_VERSION"));
    encoder.gauges(
        "service_info",
        "Which labwatch this is; always 1",
        [([("service", label), build], 1_u64)],
    )?;
    let service = (inside.service)();
    encoder.gauges(
        "service_health",
        "labwatch's own health: 0 not known yet, 1 ok, 2 not ok",
        [([("service", label)], u64::from(service.state))],
    )?;
    encoder.gauges(
        "service_dependency_health",
        "The health of what labwatch needs: 0 not known yet, 1 ok, 2 not ok",
        service.components.iter().map(|(name, state)| {
            let labels = [("service", label), ("dependency", name.as_str())];
            (labels, u64::from(*state))
        }),
    )?;
    encoder.gauges(
        "lab_category_ok",
        "Whether the category is ok (1) or not (0)",
        service
            .categories
            .iter()
            .map(|(name, ok)| ([("category", name.as_str())], u64::from(*ok))),
    )?;
    unlabelled! { encoder;
        /// How many acknowledgements hold
        gauge lab_acks: count(service.acknowledged);
        /// 1 while the laboratory is evaluated, 0 when the evaluation has stopped
        gauge lab_pilot_light: u64::from(service.turns);
        /// Evaluations of the laboratory so far
        count labwatch_checks: snapshot.version;
        /// Time of the newest snapshot, in seconds of Unix time
        gauge labwatch_snapshot_time_seconds: snapshot.at.as_second();
    }
    deliveries(encoder, snapshot)?;
    queues(encoder, &inside.queues)?;
    inside
        .store
        .as_ref()
        .map_or(Ok(()), |store| kept(encoder, store()))
}

fn deliveries(encoder: &mut Encoder<'_>, snapshot: &Snapshot) -> fmt::Result {
    let routes = || {
        let routes = snapshot.routes.iter();
        routes.map(|route| ([("route", route.name.as_str())], route))
    };
    encoder.gauges(
        "labwatch_mail_failures",
        "How many deliveries on the route failed in a row",
        routes().map(|(name, route)| (name, u64::from(route.failures))),
    )?;
    encoder.gauges(
        "labwatch_mail_waiting_seconds",
        "How long the oldest notification of the route has been pending, in seconds; 0 when none is",
        routes().map(|(name, route)| {
            let waits = route.waiting_since.map_or(0.0, |since| {
                snapshot.at.duration_since(since).as_secs_f64().max(0.0)
            });
            (name, waits)
        }),
    )
}

fn queues(encoder: &mut Encoder<'_>, queues: &[Queue]) -> fmt::Result {
    let queues = || queues.iter().map(|queue| ([("queue", queue.name)], queue));
    encoder.gauges(
        "labwatch_queue_depth",
        "How much waits in the queue",
        queues().map(|(name, queue)| (name, count((queue.depth)()))),
    )?;
    encoder.gauges(
        "labwatch_queue_bound",
        "How much fits into the queue",
        queues().map(|(name, queue)| (name, count(queue.bound))),
    )
}

fn kept(encoder: &mut Encoder<'_>, store: StoreMetrics) -> fmt::Result {
    unlabelled! { encoder;
        /// Whether what happens is on disk within moments (1) or the disk takes nothing (0)
        gauge labwatch_store_ok: u64::from(store.ok);
        /// How many entries wait for the disk
        gauge labwatch_store_waiting: count(store.waiting);
        /// How many entries were lost because the disk took nothing for too long
        count labwatch_store_lost: store.lost;
    }
    Ok(())
}
