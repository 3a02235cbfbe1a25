//! Telemetry: the log, and metrics for Prometheus and Graphite. Decides nothing, and nothing
//! depends
//! on its success.

pub mod graphite;
pub(crate) mod journal;
mod line;
pub mod log;
pub mod metrics;
pub mod record_log;
mod rotate;
mod special;
