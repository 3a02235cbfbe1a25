//! The numbers of experiments by health and availability.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The number of experiments by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// All of them.
    pub total: usize,
    /// Those that are ok.
    pub ok: usize,
    /// Those that are degraded.
    pub degraded: usize,
    /// Those that are flapping.
    pub flapping: usize,
    /// Those that are down.
    pub down: usize,
    /// Those that are not evaluated.
    pub unknown: usize,
    /// Those with a resource that labwatch withdrew.
    pub withdrawn: usize,
    /// Those with a resource that is held.
    pub held: usize,
    /// Those that book does not list.
    pub unlisted: usize,
    /// Those that are acknowledged.
    pub acknowledged: usize,
    /// Those that are silenced or in a maintenance window.
    pub silenced: usize,
}

impl fmt::Display for Counts {
    /// The numbers by health. Flapping ones are listed only where there are some: most laboratories
    /// have none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} experiments: {} ok, {} degraded, ",
            self.total, self.ok, self.degraded
        )?;
        if self.flapping > 0 {
            write!(f, "{} flapping, ", self.flapping)?;
        }
        write!(f, "{} down, {} unknown", self.down, self.unknown)
    }
}
