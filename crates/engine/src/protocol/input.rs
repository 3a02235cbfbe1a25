//! Everything that can reach the engine, in one closed list.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{
    Availability, CallError, ConnectError, PageAddress, ResourceName, SourceName, Stub, Topic,
};
use crate::notifications::route::Channel;
use crate::protocol::audience::Delivered;
use crate::protocol::canary::CanaryView;
use crate::protocol::category::ComponentHealth;
use crate::protocol::command::Order;
use crate::protocol::page::{PageOutcome, PageUse};
use crate::protocol::report::Report;
use crate::protocol::rules::Rules;

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
    /// What failed on this channel, or on all of them, may work now: the settings changed, or the other side was seen to work.
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

/// Experiments that stay withdrawn, whatever their health, until a maintainer opens a category; with its name.
pub type Quarantined = BTreeMap<Stub, String>;

/// How the connection to relay or jump is, as its feed sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// An attempt is under way.
    Connecting,
    /// The websocket is open. Reports are still to prove that it is alive.
    Open,
    /// The websocket is open, and what comes over it is no report that can be read; holds why.
    Unreadable(String),
    /// The attempt failed; another follows by itself after a back-off.
    Failed(ConnectError),
    /// An open connection ended; another attempt follows by itself.
    Closed(String),
    /// An open connection ended because what came over it was no websocket traffic; another attempt follows by itself.
    Broken(String),
    /// We gave an open connection up because nothing came over it; another attempt follows by itself.
    GivenUp,
}

/// Whether this replica may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It switches, mails and publishes.
    Leader,
    /// It observes and evaluates, and does nothing outward.
    Follower,
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

/// What can be booked and what is booked, as book last told it. It cannot hold a user's name: nothing here has room for one.
///
/// Each part stays as it was last read when a later reading of it fails; the times say how old it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timetable {
    /// What can be booked, sorted.
    pub slots: Vec<Slot>,
    /// What is booked and not cancelled, sorted by start. May hold bookings that have ended since.
    pub bookings: Vec<Booking>,
    /// The pages that students open, each once, sorted; read with the slots.
    pub pages: Vec<PageUse>,
    /// When the slots were last read; `None` when they never were.
    pub slots_read: Option<Timestamp>,
    /// When the bookings were last read; `None` when they never were.
    pub bookings_read: Option<Timestamp>,
}

/// One way in which a resource can be booked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    /// The resource that it gives.
    pub resource: ResourceName,
    /// The policy that it is booked under.
    pub policy: String,
    /// The user interfaces that it is shown with.
    pub ui_set: String,
}

/// A booking that stands. Who made it is not known here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Booking {
    /// When it starts.
    pub start: Timestamp,
    /// When it ends: after the start, and no part of it.
    pub end: Timestamp,
    /// The resource that it is for.
    pub resource: ResourceName,
    /// Whether its user has started it.
    pub started: bool,
    /// Whether book says that it could not be started, because its resource was withdrawn.
    pub unfulfilled: bool,
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
    ActiveSuppressions(Duration),
    /// Listening was not possible, so nothing is known.
    Failed(CallError),
}

/// Why no recipient has a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryFault {
    /// What went wrong.
    pub fault: CallError,
    /// Whether a later attempt may get through.
    pub outlook: Outlook,
}

/// What a failed attempt says about the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// It may get through: what failed concerns this attempt, or what lies between.
    Passing,
    /// The other side will not take the same content later either (SMTP 5xx for it or for a recipient, HTTP 4xx).
    Refused,
    /// The other side had all of it and did not say what became of it: most likely it has taken it over.
    Unknown,
}

impl DeliveryFault {
    /// A failure that may pass.
    #[must_use]
    pub fn passing(fault: CallError) -> Self {
        Self {
            fault,
            outlook: Outlook::Passing,
        }
    }

    /// A refusal for good.
    #[must_use]
    pub fn refused(fault: CallError) -> Self {
        Self {
            fault,
            outlook: Outlook::Refused,
        }
    }

    /// Whether it is the content that was refused. A password or a token that is refused says nothing about it.
    #[must_use]
    pub fn refuses_content(&self) -> bool {
        self.outlook == Outlook::Refused && !self.fault.refuses_us()
    }

    /// Whether a person has to mend something: the content, a password or a token is refused.
    #[must_use]
    pub fn needs_person(&self) -> bool {
        self.outlook == Outlook::Refused || self.fault.refuses_us()
    }
}
