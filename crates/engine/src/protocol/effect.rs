//! Everything that the engine can ask for, in one closed list.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::groups::booking_history::BookingChange;
use crate::model::{Private, ResourceName, RouteName, SourceHealth, SourceName, Stub, Topic};
use crate::protocol::command::{ManualOverride, Order, Receipt};
use crate::protocol::event::Event;
use crate::protocol::input::{DeliveryFault, SwitchOutcome};
use crate::protocol::state::Notified;
use crate::protocol::summary::Summary;
use crate::suppressions::{Ended, SuppressionEntry, SuppressionId};

/// What the engine asks for. Actions come in the order in which they must be carried out: a record before the effect it explains.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Keep this in the history and tell the log.
    Record(Record),
    /// Set a resource's availability in book; the answer is `Input::Switched`.
    Switch(Switch),
    /// Send a summary the way of its route; the answer is `Input::Delivered`.
    Tell(Arc<Summary>),
    /// Ask relay or jump for a report now, or poll book now.
    Ask(SourceName),
    /// Give up the connection to relay or jump and make a new one: it is open but tells nothing.
    Reconnect(SourceName),
    /// Listen to a stream; the answer is `Input::Sampled`.
    Sample(Sample),
}

/// What the feed of relay or jump can be told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedCommand {
    /// Ask for a report now.
    Ask,
    /// Give up the connection and make a new one.
    Reconnect,
}

/// An availability to set in book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// The resource.
    pub resource: ResourceName,
    /// The experiment that it is, for the log.
    pub stub: Stub,
    /// What it should be.
    pub available: bool,
    /// The reason that book stores and students read. Starts with [`crate::model::OUR_PREFIX`], unless it is a person's own.
    pub reason: String,
    /// Whether a person wants it, so that a person's hold may be written over.
    pub by_person: bool,
}

/// A stream to listen to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The stream.
    pub topic: Topic,
    /// The longest time to wait for a message; the first one ends the sample.
    pub listen: Duration,
}

/// Something that happened or was decided, for the history and the log.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// An experiment's health, causes or remote login changed.
    Event {
        /// The experiment.
        stub: Stub,
        /// The change.
        event: Arc<Event>,
    },
    /// A switch was decided; it is about to be tried.
    Switching(Switch),
    /// A switch was tried.
    Switched {
        /// The resource.
        resource: ResourceName,
        /// The experiment that it is.
        stub: Stub,
        /// What came of it.
        outcome: SwitchOutcome,
    },
    /// A source's health changed.
    Source {
        /// The source.
        name: SourceName,
        /// How it is now.
        health: SourceHealth,
        /// What is wrong and what to do, or that all is well again.
        note: String,
        /// The same with what the source said.
        said: Private<String>,
    },
    /// A person holds a resource, or lets it go.
    Hold {
        /// The resource.
        resource: ResourceName,
        /// The reason that the person gave; `None` when the hold is gone.
        reason: Option<String>,
    },
    /// A person wants something of a resource, until book says so: then `None`.
    Wished {
        /// The resource.
        resource: ResourceName,
        /// What is wanted.
        manual_override: Option<ManualOverride>,
    },
    /// A maintainer gave a command, and it was carried out.
    Commanded {
        /// The command, and who gave it.
        order: Box<Order>,
        /// What they are answered.
        receipt: Box<Receipt>,
    },
    /// Something keeps quiet from now on, or will.
    Suppression {
        /// Its number.
        id: SuppressionId,
        /// What it is.
        entry: Box<SuppressionEntry>,
    },
    /// Something does not keep quiet any more.
    QuietEnded(Box<Ended>),
    /// An experiment was seen for the first time.
    Seen(Stub),
    /// An experiment is forgotten: seen again, it is new.
    Forgotten(Stub),
    /// What the people of a route know has changed.
    Notified {
        /// The route.
        route: RouteName,
        /// What they know now.
        notified: Notified,
    },
    /// A route is not configured any more: what was told on it is forgotten.
    RouteGone(RouteName),
    /// Book's manifest changed.
    Manifest(ManifestChange),
    /// Bookings changed: what has, and nothing else.
    Bookings(Vec<BookingChange>),
    /// The pools are others than before: the experiments of each, by its name.
    Pools(BTreeMap<String, Vec<Stub>>),
    /// All sources are silent, which says that we are cut off, or it has ended.
    Blind(bool),
    /// A summary is about to be sent.
    Telling(Arc<Summary>),
    /// A summary was tried.
    Delivered {
        /// The number of the summary.
        id: u64,
        /// What came of it.
        outcome: Result<(), DeliveryFault>,
    },
    /// Whether every stream is sampled as often as the rule needs, or not.
    Sampling {
        /// How many streams are sampled.
        streams: usize,
        /// How long one round over all of them takes.
        round: Duration,
        /// Whether a round fits into `HEALTH_LAST_ACTIVE`, and listening works.
        keeps_up: bool,
        /// How many samples failed in a row.
        failures: u32,
    },
}

/// How book's manifest changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestChange {
    /// Book gives an empty manifest: it has lost it. What was known is kept.
    Lost,
    /// Book has a manifest again.
    Back,
    /// The list of resources is another than before.
    Changed {
        /// Resources that are new.
        added: Vec<ResourceName>,
        /// Resources that are gone.
        removed: Vec<ResourceName>,
    },
}
