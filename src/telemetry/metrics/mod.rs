//! The metrics for Prometheus, read from the newest snapshot and from counters at the scrape. Keeps
//! no series: what has vanished from the laboratory vanishes from the response.

mod canary;
mod cluster;
mod counters;
mod encoder;
mod http;
mod lab;
mod pages;
mod process;
mod service;

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;
use tokio::sync::watch;

pub use cluster::ClusterMetrics;
pub use counters::Counters;
pub use http::HttpCounts;
pub use service::{Inside, Queue, Service, StoreMetrics};

use encoder::Encoder;
use engine::Snapshot;

/// The format of [`Metrics::text`]: `OpenMetrics`, which Prometheus reads since 2.5.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone)]
pub struct Metrics(Arc<Registry>);

impl Metrics {
    pub fn new(
        snapshots: watch::Receiver<Arc<Snapshot>>,
        counters: Arc<Counters>,
        http: Arc<HttpCounts>,
        inside: Inside,
    ) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Everything {
            snapshots,
            counters,
            http,
            inside,
        }));
        Self(Arc::new(registry))
    }

    /// All current metrics, as [`CONTENT_TYPE`].
    ///
    /// # Errors
    /// When the text cannot be written, which cannot happen in memory.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.0)?;
        Ok(text)
    }
}

/// The only collector. One scrape sees one snapshot.
#[derive(Debug)]
struct Everything {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    counters: Arc<Counters>,
    http: Arc<HttpCounts>,
    inside: Inside,
}

impl Collector for Everything {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let snapshot = Arc::clone(&self.snapshots.borrow());
        let mut encoder = Encoder::new(encoder);
        service::write(&mut encoder, &snapshot, &self.inside)?;
        if let Some(cluster) = &self.inside.cluster {
            cluster::write(&mut encoder, &cluster())?;
        }
        lab::write(&mut encoder, &snapshot)?;
        canary::write(&mut encoder, &snapshot)?;
        pages::write(&mut encoder, &snapshot)?;
        self.counters.write(&mut encoder)?;
        self.http.write(&mut encoder)?;
        process::write(&mut encoder, snapshot.started)
    }
}
