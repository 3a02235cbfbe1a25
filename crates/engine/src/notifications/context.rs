//! What telling is told about the laboratory: what there is to know of an experiment, what concerns all of it, and what surrounds it.

use std::time::Duration;

use crate::experiments::experiment::Experiment;
use crate::model::{Bookable, Health, Moment, Stub};
use crate::notifications::route::Route;
use crate::protocol::snapshot::Counts;
use crate::protocol::state::{Alert, Known};
use crate::protocol::summary::Background;

/// An outage of a source, or of book's manifest, that is shorter than this is not told: servers are restarted, and come back
/// within seconds.
const TELL_OUTAGE_AFTER: Duration = Duration::from_secs(60);

/// A concern that holds now, in words.
#[derive(Debug, Clone)]
pub(crate) struct ActiveAlert {
    pub(crate) alert: Alert,
    pub(crate) text: String,
    pub(crate) since: Moment,
    /// Whether those are to hear of it who have not: it has lasted, and is no part of a larger story. Who has, hears of it until it ends.
    pub(crate) is_tellable: bool,
}

/// What summaries are made from.
pub(crate) struct Scene<'a> {
    pub(crate) now: Moment,
    pub(crate) manifest_known: bool,
    /// How many of the experiments of a route are in which state.
    pub(crate) counts: &'a dyn Fn(&Route) -> Counts,
    pub(crate) experiments: &'a dyn Fn(&Stub) -> Option<&'a Experiment>,
    pub(crate) all: &'a dyn Fn() -> Vec<&'a Experiment>,
    pub(crate) bookable: &'a dyn Fn(&Experiment) -> Option<Bookable>,
    /// Whether people do not want to hear of an experiment now. Its news waits until they do.
    pub(crate) is_quiet: &'a dyn Fn(&Stub) -> bool,
    /// What is worth knowing for a route beside the problems themselves.
    pub(crate) background: &'a dyn Fn(&Route) -> Background,
    /// Whether a switch is decided or under way.
    pub(crate) is_switching: bool,
    /// Until when relay or jump settle.
    pub(crate) settles_until: Option<Moment>,
    pub(crate) active_alerts: Vec<ActiveAlert>,
}

impl Known {
    /// What is to be told of an experiment now; `None` while nothing is known.
    pub(super) fn of(experiment: &Experiment, manifest_known: bool) -> Option<Self> {
        let is_known = experiment.is_evaluated() && experiment.health != Health::Unknown;
        is_known.then(|| Self {
            health: experiment.health,
            issues: experiment.issues.clone(),
            listed: experiment.listed() || !manifest_known,
            bad_since: experiment.bad_since.map(Moment::wall),
        })
    }

    /// What everybody assumes who was told nothing.
    pub(super) fn assumed() -> Self {
        Self {
            health: Health::Ok,
            issues: Vec::new(),
            listed: true,
            bad_since: None,
        }
    }

    pub(super) fn is_plain(&self) -> bool {
        self.health == Health::Ok && self.issues.is_empty() && self.listed
    }

    pub(super) fn is_worth_telling_after(&self, notified: &Self) -> bool {
        self.health != notified.health
            || self.issues != notified.issues
            || (!self.listed && notified.listed)
    }
}

impl Alert {
    /// Since when it must have held to be told.
    pub(crate) fn told_after(self) -> Duration {
        match self {
            Self::Blind | Self::Source(_) | Self::ManifestLost | Self::Sampling => {
                TELL_OUTAGE_AFTER
            }
        }
    }

    pub(super) fn ended_text(self) -> String {
        match self {
            Self::Blind => "labwatch hears from the laboratory again".to_owned(),
            Self::Source(name) => format!("{name} tells again"),
            Self::ManifestLost => "book has a manifest again".to_owned(),
            Self::Sampling => "streams are listened to again".to_owned(),
        }
    }
}
