//! All inputs of the engine, in one closed list.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{Availability, CallError, PageAddress, ResourceName, SourceName, Stub, Topic};
use crate::notifications::route::Channel;
use crate::protocol::{
    CanaryView, ComponentHealth, Delivered, DeliveryFault, Link, Order, PageOutcome, Report, Role,
    Rules, Timetable,
};

/// An input of the engine. A new kind of input is handled in `Engine::step`, and nowhere else.
#[derive(Debug, Clone)]
pub enum Input {
    /// A report array of relay or jump.
    Report(SourceName, Arc<Report>),
    /// The state of the connection to relay or jump.
    Link(SourceName, Link),
    /// A poll of book that gave the list of resources.
    Book(BookReading),
    /// A poll of book that failed.
    BookFailed(CallError),
    /// Bookings and slots as book reports them.
    Timetable(Timetable),
    /// The outcome of a switch: the answer to `Effect::Switch`.
    Switched {
        /// The resource that was to be switched.
        resource: ResourceName,
        /// The outcome.
        outcome: SwitchOutcome,
    },
    /// The outcome of a sample: the answer to `Effect::Sample`.
    Sampled {
        /// The stream that was sampled.
        topic: Topic,
        /// The outcome.
        outcome: SampleOutcome,
    },
    /// The outcome of a page check: the answer to `Effect::CheckPage`.
    PageChecked {
        /// The page.
        page: PageAddress,
        /// The outcome.
        outcome: PageOutcome,
    },
    /// The canary's results: at each change, and periodically for its numbers.
    Canary(Arc<CanaryView>),
    /// The delivery of a message begins: it has waited in a queue until now.
    DeliveryBegun(u64),
    /// Failed messages of this channel, or of all, may get through now: the settings changed, or
    /// the other side was seen to work.
    Retry(Option<Channel>),
    /// The outcome of a delivery: the answer to `Effect::Notify`.
    Delivered {
        /// The number of the summary that was to be sent.
        id: u64,
        /// The outcome.
        outcome: Result<Delivered, DeliveryFault>,
    },
    /// A command of a maintainer. A refused one does nothing: the driver checks before.
    Command(Order),
    /// The health of a component that the engine does not observe itself.
    Component(ComponentHealth),
    /// A component that is no longer watched.
    ComponentGone(Arc<str>),
    /// The role of this replica.
    Role(Role),
    /// The rules of a reloaded configuration, valid from now on.
    Adopt(Box<Rules>),
    /// No other input, but a deadline is reached.
    Wake,
}

/// The result of one poll of book.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BookReading {
    /// Every resource of the manifest. Empty when book has no manifest.
    pub resources: Vec<ResourceReading>,
}

/// A resource of book's manifest, with its availability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceReading {
    /// Its name in book.
    pub name: ResourceName,
    /// Its experiment.
    pub stub: Stub,
    /// Its required streams.
    pub streams: Vec<Topic>,
    /// Its availability; `None` when only this reading failed.
    pub availability: Option<Availability>,
}

/// The outcome of a switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwitchOutcome {
    /// Book accepted it, with this availability in its answer.
    Confirmed(Availability),
    /// The resource is held, as found before anything was written; nothing was written.
    Held(Availability),
    /// Book does not know the resource.
    Gone,
    /// It is not known whether book accepted it.
    Failed(CallError),
}

/// The outcome of a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SampleOutcome {
    /// A message came.
    Received,
    /// Nothing came for this long.
    Silent(Duration),
    /// Sampling was not possible, so nothing is known.
    Failed(CallError),
}
