//! The canary's effect on relay's health: a relay that reports and does not forward messages is
//! down all the same.

use std::sync::Arc;
use std::time::Duration;

use super::Source;
use crate::model::{Moment, SourceHealth};
use crate::protocol::{CanaryView, Forwarding};

impl Source {
    /// Applies the canary's result. `settle` is how long absence is excused once relay forwards
    /// again.
    pub(crate) fn note_canary(&mut self, canary: &Arc<CanaryView>, settle: Duration, now: Moment) {
        if self.is_not_forwarding() && canary.forwarding != Forwarding::Stopped {
            self.settle_until = Some(now + settle);
        }
        self.canary = (canary.forwarding != Forwarding::Off).then(|| Arc::clone(canary));
    }

    /// Whether it is down because it reports and does not forward.
    pub(crate) fn is_not_forwarding(&self) -> bool {
        self.by_canary == Some(Forwarding::Stopped)
    }

    /// Combines the canary's result with the health by the reports. Returns the effective health.
    pub(super) fn with_canary(&mut self, now: Moment) -> SourceHealth {
        let shown = self.canary.as_ref().map(|canary| canary.forwarding);
        let by_reports = self.health_at(now);
        let (health, by_canary) = match (by_reports, shown) {
            (SourceHealth::Live | SourceHealth::Late, Some(Forwarding::Stopped)) => {
                (SourceHealth::Down, Some(Forwarding::Stopped))
            }
            (SourceHealth::Live, Some(Forwarding::Late)) => {
                (SourceHealth::Late, Some(Forwarding::Late))
            }
            (health, _) => (health, None),
        };
        self.by_canary = by_canary;
        health
    }
}
