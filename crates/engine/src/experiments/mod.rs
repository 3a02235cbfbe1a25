//! Experiments and their streams: evaluated from reports and samples, with hysteresis and flap detection.

pub(crate) mod evaluate;
pub(crate) mod experiment;
pub(crate) mod flapping;
pub(crate) mod fleet;
pub(crate) mod hysteresis;
pub(crate) mod sampling;
pub(crate) mod stream;
