//! What labwatch tells about itself: the log. Decides nothing, and nothing depends on its success.

pub mod journal;
pub mod log;
mod line;
mod rotate;

pub use rotate::{Bounds, Remark, RotatingFile, Surroundings};
