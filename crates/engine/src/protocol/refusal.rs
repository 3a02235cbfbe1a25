//! Why a command is not carried out, as text that says what to do. Decides nothing.

use crate::model::{Health, OUR_PREFIX, ResourceName, Stub};
use crate::suppressions::Refused;

/// Why a command was refused. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It cannot be acknowledged, silenced, planned or ended.
    #[error(transparent)]
    Suppression(#[from] Refused),
    /// This labwatch only watches.
    #[error("this labwatch only watches: give the command to the one that leads")]
    Follower,
    /// It led when the command came, and no longer does. Unlike for all others, it is not known
    /// whether the command was stored.
    #[error(
        "another replica is about to lead, and whether the command was kept is not known: look in a few seconds, and give it again where it was not"
    )]
    LeadLost,
    /// No experiment has such a name.
    #[error("no experiment is called {0}: check the name")]
    NoExperiment(String),
    /// There is no pool of this name.
    #[error("there is no pool {0}: check the name")]
    NoPool(String),
    /// None of several experiments is bad.
    #[error(
        "none of the {count} experiments of {scope} is bad: only what is bad can be acknowledged; to suppress their notifications beforehand, silence them"
    )]
    NothingBad {
        /// Which experiments were meant.
        scope: String,
        /// How many they are.
        count: usize,
    },
    /// The source reports as it should.
    #[error("{0} reports as it should: only what is bad can be acknowledged")]
    ComponentIsWell(String),
    /// Nothing of this is acknowledged.
    #[error("nothing of {0} is acknowledged: it has ended, or never was")]
    NotAcknowledged(String),
    /// Book lists no such resource.
    #[error("book lists no resource {0}: check the name")]
    NoResource(ResourceName),
    /// Book has not said yet how the resource is.
    #[error("book has not said yet whether {0} can be booked: try again in a minute")]
    NotRead(ResourceName),
    /// The reason would be taken for labwatch's own.
    #[error("a reason that starts with \"{}\" or \"status server:\" would be taken for labwatch's own: begin it otherwise", OUR_PREFIX.trim_end())]
    OurPrefix,
    /// The resource is held for this very reason.
    #[error("{0} is held for this very reason already")]
    HeldAlready(ResourceName),
    /// The resource can be booked.
    #[error("{0} can be booked already")]
    Bookable(ResourceName),
    /// Labwatch withdrew it, and gives it back by itself.
    #[error(
        "no person holds {resource}: labwatch withdrew it because {stub} is {health}, and gives it back when {stub} works"
    )]
    Ours {
        /// The resource.
        resource: ResourceName,
        /// The experiment that it is.
        stub: Stub,
        /// Its health.
        health: Health,
    },
    /// A closed category keeps the resource's experiment quarantined.
    #[error(
        "the category {category} is closed and keeps {resource} from being booked: inspect it, then open the category"
    )]
    Quarantined {
        /// The resource.
        resource: ResourceName,
        /// The category.
        category: String,
    },
    /// A category is open, or closed, already.
    #[error("the category {category} is {} already", if *.open { "open" } else { "closed" })]
    CategoryAlready {
        /// The category.
        category: String,
        /// Whether it is open.
        open: bool,
    },
    /// There is no category of this name.
    #[error("there is no category {0}: /api/v2/categories lists them")]
    NoCategory(String),
    /// There is no component of this name.
    #[error("there is no component {0}: /status lists them")]
    NoComponent(String),
    /// Too many commands are waiting.
    #[error("too many commands are waiting: try again in a moment")]
    Busy,
    /// Labwatch is about to stop.
    #[error("labwatch is about to stop: try again when it runs")]
    Stopping,
}
