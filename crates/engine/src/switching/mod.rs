//! Availability in book: the wanted one compared with the last confirmed one.

pub(crate) mod availability;
pub(crate) mod mismatch;
pub(crate) mod reason;
pub(crate) mod resource;

use crate::experiments::experiment::Experiment;
use crate::experiments::fleet::Fleet;
use crate::model::{Health, Moment, SourceHealth};
use crate::protocol::{Effect, Quarantined, Record, Step};
use crate::sources::Sources;
use availability::Resources;
use resource::Wanted;

/// The resources in book, and their wanted availability.
#[derive(Debug, Clone, Default)]
pub(crate) struct Switching {
    pub(crate) resources: Resources,
    /// Whether book has given a manifest since the start.
    pub(crate) manifest_known: bool,
    /// Since when book has given an empty manifest.
    pub(crate) manifest_lost: Option<Moment>,
}

impl Switching {
    /// Whether switches may be written into book now.
    pub(crate) fn may_switch(&self, sources: &Sources) -> bool {
        sources.relay.health != SourceHealth::Starting
            && sources.blind.is_none()
            && self.manifest_lost.is_none()
            && sources.book.health != SourceHealth::Down
    }

    /// Whether the requirements of experiments are known, or will not be known soon.
    pub(crate) fn may_evaluate(&self, sources: &Sources) -> bool {
        self.manifest_known || sources.book.health == SourceHealth::Down
    }

    /// Decides the switches that are due. A quarantined experiment stays withdrawn, whatever its
    /// health.
    pub(crate) fn switch(
        &mut self,
        fleet: &Fleet,
        quarantined: &Quarantined,
        now: Moment,
        step: &mut Step,
    ) {
        let due = self.resources.due(now, |stub| match quarantined.get(stub) {
            Some(_) => Wanted::Withdrawn(reason::to_be_inspected()),
            None => wanted(fleet.named(stub.as_str())),
        });
        for switch in due {
            step.record(Record::Switching(switch.clone()));
            step.effect(Effect::Switch(switch));
        }
    }

    /// When a failed switch is to be tried again.
    pub(crate) fn deadline(&self, sources: &Sources) -> Option<Moment> {
        self.resources
            .deadline()
            .filter(|_| self.may_switch(sources))
    }
}

/// The wanted availability of an experiment's resources: the last column of the table in
/// `docs/architecture.md`.
fn wanted(experiment: Option<&Experiment>) -> Wanted {
    let Some(experiment) = experiment.filter(|experiment| experiment.is_evaluated()) else {
        return Wanted::AsItIs;
    };
    match experiment.health {
        Health::Unknown => Wanted::AsItIs,
        Health::Ok | Health::Degraded => Wanted::Bookable(reason::given_back()),
        Health::Flapping => {
            Wanted::Withdrawn(reason::comes_and_goes(&experiment.stub, &experiment.issues))
        }
        Health::Down => Wanted::Withdrawn(reason::withdrawn(&experiment.stub, &experiment.issues)),
    }
}
