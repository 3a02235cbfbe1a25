//! What labwatch tells about itself: the log, and figures for Prometheus and Graphite. Decides nothing, and nothing depends on its success.

pub mod graphite;
mod line;
pub mod log;
pub mod metrics;
pub mod profile;
pub mod record_log;
mod rotate;

pub use rotate::{Bounds, Remark, RotatingFile, Surroundings};
