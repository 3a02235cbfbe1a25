//! Health and bookability side by side, and whether they fit together. Judges nothing.

use crate::model::{Bookable, Health};
use crate::protocol::snapshot::ExperimentView;

/// Health and bookability that do not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    /// It works, and nobody can book it.
    WorksNotBookable,
    /// It is down or flaps, and can be booked.
    DownBookable,
}

impl Mismatch {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WorksNotBookable => "works-not-bookable",
            Self::DownBookable => "down-bookable",
        }
    }
}

impl ExperimentView {
    /// Whether its health and its bookability do not fit together.
    #[must_use]
    pub fn mismatch(&self) -> Option<Mismatch> {
        match (self.health, self.bookable()?) {
            (Health::Ok | Health::Degraded, Bookable::Withdrawn | Bookable::Held) => {
                Some(Mismatch::WorksNotBookable)
            }
            (Health::Flapping | Health::Down, Bookable::Yes) => Some(Mismatch::DownBookable),
            (Health::Ok | Health::Degraded, Bookable::Yes)
            | (Health::Flapping | Health::Down, Bookable::Withdrawn | Bookable::Held)
            | (Health::Unknown, _) => None,
        }
    }
}
