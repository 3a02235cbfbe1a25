//! Whether health and bookability fit together: the one rule for pages, API and counts.

use crate::model::{Bookable, Health};
use crate::protocol::snapshot::ExperimentView;

/// Health and bookability that do not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    /// It works and cannot be booked: withdrawn by labwatch, or held by a person.
    WorksNotBookable,
    /// It is down or flaps, and can be booked.
    DownBookable,
}

impl Mismatch {
    /// The rule.
    #[must_use]
    pub fn between(health: Health, bookable: Bookable) -> Option<Self> {
        match (health, bookable) {
            (Health::Ok | Health::Degraded, Bookable::Withdrawn | Bookable::Held) => {
                Some(Self::WorksNotBookable)
            }
            (Health::Flapping | Health::Down, Bookable::Yes) => Some(Self::DownBookable),
            (Health::Ok | Health::Degraded, Bookable::Yes)
            | (Health::Flapping | Health::Down, Bookable::Withdrawn | Bookable::Held)
            | (Health::Unknown, _) => None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WorksNotBookable => "works-not-bookable",
            Self::DownBookable => "down-bookable",
        }
    }
}

impl ExperimentView {
    /// Whether its health and its bookability do not fit together; `None` also while either is not
    /// known.
    #[must_use]
    pub fn mismatch(&self) -> Option<Mismatch> {
        Mismatch::between(self.health, self.bookable()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_works_is_bookable_and_what_does_not_is_not() {
        use Bookable::{Held, Withdrawn, Yes};
        use Mismatch::{DownBookable, WorksNotBookable};
        for (health, yes, withdrawn, held) in [
            (
                Health::Ok,
                None,
                Some(WorksNotBookable),
                Some(WorksNotBookable),
            ),
            (
                Health::Degraded,
                None,
                Some(WorksNotBookable),
                Some(WorksNotBookable),
            ),
            (Health::Flapping, Some(DownBookable), None, None),
            (Health::Down, Some(DownBookable), None, None),
            (Health::Unknown, None, None, None),
        ] {
            let found = [Yes, Withdrawn, Held].map(|bookable| Mismatch::between(health, bookable));
            assert_eq!(found, [yes, withdrawn, held], "{health}");
        }
    }
}
