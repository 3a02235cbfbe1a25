//! What several lost experiments have in common, and the facts about one for advice.

use std::sync::Arc;

use super::experiment::Experiment;
use super::fleet::Fleet;
use super::stream::Stream;
use crate::experiments::evaluate::Presence;
use crate::model::{Health, JumpHealth, Moment, StreamHealth, Stub};
use crate::notifications::advice::{Facts, Neighbours};
use crate::notifications::correlation::{Cause, FEWEST_OF_A_CAUSE, group};

impl Fleet {
    /// Whether students can use an experiment.
    pub(crate) fn is_usable(&self, stub: &Stub) -> bool {
        self.named(stub.as_str())
            .is_some_and(|experiment| matches!(experiment.health, Health::Ok | Health::Degraded))
    }

    /// What these losses have in common.
    pub(crate) fn causes<'a>(&'a self, lost: &[&'a Experiment]) -> Vec<Cause> {
        if lost.len() < FEWEST_OF_A_CAUSE {
            return Vec::new();
        }
        let losses = lost.iter().map(|one| (&one.stub, one.since));
        let report = self.relay_report().map(Arc::as_ref);
        let remote = |experiment: &'a Experiment| {
            let mut streams = experiment.streams.iter();
            streams.find_map(|stream| stream.sighting.remote(report))
        };
        let places = self
            .experiments()
            .map(|one| (&one.stub, remote(one).unwrap_or_default()));
        group(losses, places)
    }
}

impl Experiment {
    pub(crate) fn facts(&self, neighbours: Neighbours) -> Facts {
        let tally = |required| {
            self.streams
                .iter()
                .filter(|stream| stream.required == required)
                .map(|stream| stream.health)
                .collect()
        };
        Facts {
            jump: self.login(),
            required: tally(true),
            others: tally(false),
            neighbours,
            page_fails: self.page_issues().next().is_some(),
        }
    }

    /// When everything that it lacks now was last reported; `None` where nothing is lacking or it
    /// was never reported.
    pub(crate) fn last_complete(&self) -> Option<Moment> {
        let missing = |stream: &&Stream| stream.health == StreamHealth::Missing;
        let streams = self.streams.iter().filter(missing);
        let host = (self.login() == JumpHealth::Lost).then_some(&self.host);
        let lacking = streams.map(|stream| &stream.sighting).chain(host);
        let gone = lacking.filter_map(|sighting| match sighting.presence {
            Presence::Gone { seen } => Some(seen),
            Presence::Newest { .. } | Presence::Never { .. } => None,
        });
        gone.min()
    }

    /// Whether its remote login is in jump's newest report.
    pub(crate) fn is_login_reported(&self) -> bool {
        matches!(self.host.presence, Presence::Newest { .. })
    }
}
