//! Everything that can reach the engine, in one closed list.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{Availability, CallError, PageAddress, ResourceName, SourceName, Stub, Topic};
use crate::notifications::route::Channel;
use crate::protocol::{
    CanaryView, ComponentHealth, Delivered, DeliveryFault, Link, Order, PageOutcome, Report, Role,
    Rules, Timetable,
};

/// What reaches the engine. A new kind of input is handled in `Engine::step`, and nowhere else.
#[derive(Debug, Clone)]
pub enum Input {
    /// A report array of relay or jump.
    Report(SourceName, Arc<Report>),
    /// How the connection to relay or jump is.
    Link(SourceName, Link),
    /// A poll of book that gave the list of resources.
    Book(BookReading),
    /// A poll of book that failed.
    BookFailed(CallError),
    /// What book says about who needs what, and when.
    Timetable(Timetable),
    /// What a switch came to: the answer to `Effect::Switch`.
    Switched {
        /// The resource that was to be switched.
        resource: ResourceName,
        /// What came of it.
        outcome: SwitchOutcome,
    },
    /// What listening to a stream came to: the answer to `Effect::Sample`.
    Sampled {
        /// The stream that was listened to.
        topic: Topic,
        /// What came of it.
        outcome: SampleOutcome,
    },
    /// What checking a page came to: the answer to `Effect::CheckPage`.
    PageChecked {
        /// The page.
        page: PageAddress,
        /// What came of it.
        outcome: PageOutcome,
    },
    /// What the canary shows of relay: at each change, and now and then for its figures.
    Canary(Arc<CanaryView>),
    /// The delivery of a message begins: it has waited in a queue until now.
    DeliveryBegun(u64),
    /// What failed on this channel, or on all of them, may work now: the settings changed, or the
    /// other side was seen to work.
    Retry(Option<Channel>),
    /// What delivering a message came to: the answer to `Effect::Notify`.
    Delivered {
        /// The number of the summary that was to be sent.
        id: u64,
        /// What came of it.
        outcome: Result<Delivered, DeliveryFault>,
    },
    /// A command of a maintainer. One that would be refused does nothing: the driver asks before.
    Command(Order),
    /// How a component is of which the engine knows nothing by itself.
    Component(ComponentHealth),
    /// A component that was let go.
    ComponentGone(Arc<str>),
    /// This replica may act, or may only watch.
    Role(Role),
    /// The configuration was read anew: these are the rules from now on.
    Adopt(Box<Rules>),
    /// Nothing came, but a deadline is reached.
    Wake,
}

/// What one poll of book gave.
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
    /// The experiment that it is.
    pub stub: Stub,
    /// The streams that it must have.
    pub streams: Vec<Topic>,
    /// Its availability; `None` when only this reading failed.
    pub availability: Option<Availability>,
}

/// What a switch came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwitchOutcome {
    /// Book was told, and this is what it says now.
    Confirmed(Availability),
    /// A person holds the resource, found before anything was written; nothing was written.
    Held(Availability),
    /// Book does not know the resource.
    Gone,
    /// It is not known whether book was told.
    Failed(CallError),
}

/// What listening to a stream came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SampleOutcome {
    /// A message came.
    Heard,
    /// Nothing came for this long.
    Silent(Duration),
    /// Listening was not possible, so nothing is known.
    Failed(CallError),
}
