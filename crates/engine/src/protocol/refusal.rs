//! Why a command is not carried out, as text that says what to do. Decides nothing.

use std::fmt;

use crate::model::{Health, OUR_PREFIX, ResourceName, Stub};
use crate::suppressions::Refused;

/// Why a command was refused. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It cannot be acknowledged, silenced, planned or ended.
    Suppression(Refused),
    /// This labwatch only watches.
    Follower,
    /// It led when the command came, and no longer does. Unlike for all others, it is not known
    /// whether the command was stored.
    LeadLost,
    /// No experiment has such a name.
    NoExperiment(String),
    /// There is no pool of this name.
    NoPool(String),
    /// None of several experiments is bad.
    NothingBad {
        /// Which experiments were meant.
        scope: String,
        /// How many they are.
        count: usize,
    },
    /// The source reports as it should.
    ComponentIsWell(String),
    /// Nothing of this is acknowledged.
    NotAcknowledged(String),
    /// Book lists no such resource.
    NoResource(ResourceName),
    /// Book has not said yet how the resource is.
    NotRead(ResourceName),
    /// The reason would be taken for labwatch's own.
    OurPrefix,
    /// The resource is held for this very reason.
    HeldAlready(ResourceName),
    /// The resource can be booked.
    Bookable(ResourceName),
    /// Labwatch withdrew it, and gives it back by itself.
    Ours {
        /// The resource.
        resource: ResourceName,
        /// The experiment that it is.
        stub: Stub,
        /// Its health.
        health: Health,
    },
    /// A closed category keeps the resource's experiment quarantined.
    Quarantined {
        /// The resource.
        resource: ResourceName,
        /// The category.
        category: String,
    },
    /// A category is open, or closed, already.
    CategoryAlready {
        /// The category.
        category: String,
        /// Whether it is open.
        open: bool,
    },
    /// There is no category of this name.
    NoCategory(String),
    /// There is no component of this name.
    NoComponent(String),
    /// Too many commands are waiting.
    Busy,
    /// Labwatch is about to stop.
    Stopping,
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self::Suppression(refused)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suppression(refused) => refused.fmt(f),
            Self::Follower => write!(
                f,
                "this labwatch only watches: give the command to the one that leads"
            ),
            Self::LeadLost => write!(
                f,
                "another replica is about to lead, and whether the command was kept is not known: look in a few seconds, and give it again where it was not"
            ),
            Self::NoExperiment(name) => write!(f, "no experiment is called {name}: check the name"),
            Self::NoPool(name) => write!(f, "there is no pool {name}: check the name"),
            Self::NothingBad { scope, count } => {
                write!(
                    f,
                    "none of the {count} experiments of {scope} is bad: only what is bad can be acknowledged; to suppress their notifications beforehand, silence them"
                )
            }
            Self::ComponentIsWell(name) => write!(
                f,
                "{name} reports as it should: only what is bad can be acknowledged"
            ),
            Self::NotAcknowledged(scope) => write!(
                f,
                "nothing of {scope} is acknowledged: it has ended, or never was"
            ),
            Self::NoResource(_)
            | Self::NotRead(_)
            | Self::OurPrefix
            | Self::HeldAlready(_)
            | Self::Bookable(_)
            | Self::Ours { .. } => self.of_resource(f),
            Self::Quarantined { resource, category } => {
                write!(
                    f,
                    "the category {category} is closed and keeps {resource} from being booked: inspect it, then open the category"
                )
            }
            Self::CategoryAlready {
                category,
                open: true,
            } => write!(f, "the category {category} is open already"),
            Self::CategoryAlready {
                category,
                open: false,
            } => write!(f, "the category {category} is closed already"),
            Self::NoCategory(name) => write!(
                f,
                "there is no category {name}: /api/v2/categories lists them"
            ),
            Self::NoComponent(name) => {
                write!(f, "there is no component {name}: /status lists them")
            }
            Self::Busy => write!(f, "too many commands are waiting: try again in a moment"),
            Self::Stopping => write!(f, "labwatch is about to stop: try again when it runs"),
        }
    }
}

impl Refusal {
    /// The text for a resource.
    fn of_resource(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoResource(resource) => {
                write!(f, "book lists no resource {resource}: check the name")
            }
            Self::NotRead(resource) => write!(
                f,
                "book has not said yet whether {resource} can be booked: try again in a minute"
            ),
            Self::OurPrefix => {
                write!(
                    f,
                    "a reason that starts with \"{}\" or \"status server:\" would be taken for labwatch's own: begin it otherwise",
                    OUR_PREFIX.trim_end()
                )
            }
            Self::HeldAlready(resource) => {
                write!(f, "{resource} is held for this very reason already")
            }
            Self::Bookable(resource) => write!(f, "{resource} can be booked already"),
            Self::Ours {
                resource,
                stub,
                health,
            } => {
                write!(
                    f,
                    "no person holds {resource}: labwatch withdrew it because {stub} is {health}, and gives it back when {stub} works"
                )
            }
            Self::Suppression(_)
            | Self::Follower
            | Self::NoExperiment(_)
            | Self::NoPool(_)
            | Self::NothingBad { .. }
            | Self::ComponentIsWell(_)
            | Self::NotAcknowledged(_)
            | Self::Quarantined { .. }
            | Self::CategoryAlready { .. }
            | Self::NoCategory(_)
            | Self::NoComponent(_)
            | Self::Busy
            | Self::LeadLost
            | Self::Stopping => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}
