//! The effects that the engine requests, in one closed list, and the result of one step.

use std::fmt;
use std::time::Duration;

use crate::model::{
    Availability, Bookable, PageAddress, ResourceName, SourceName, Stub, Topic, format_duration,
};
use crate::protocol::{Notification, Record, StateChange};

/// The result of a step. The records are stored before the effects are carried out: a restart in
/// between then knows what was decided.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Step {
    /// The entries of the durable state that changed. They are stored together with the records,
    /// before the effects are carried out.
    pub changes: Vec<StateChange>,
    /// What happened and what was decided, in order.
    pub records: Vec<Record>,
    /// What is to be done, in order.
    pub effects: Vec<Effect>,
}

impl Step {
    pub(crate) fn record(&mut self, record: Record) {
        self.records.push(record);
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }
}

/// A request of the engine to the shell.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Set a resource's availability in book; the answer is `Input::Switched`.
    Switch(Switch),
    /// Deliver a message to recipients of its route; the answer is `Input::Delivered`.
    Notify(Notification),
    /// Ask relay or jump for a report now, or poll book now.
    Ask(SourceName),
    /// Close the connection to relay or jump and open a new one: it is open, and no report comes.
    Reconnect(SourceName),
    /// Sample a stream; the answer is `Input::Sampled`.
    Sample(Sample),
    /// Check a page that students open; the answer is `Input::PageChecked`.
    CheckPage(PageAddress),
}

/// A command to the feed of relay or jump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedCommand {
    /// Ask for a report now.
    Ask,
    /// Close the connection and open a new one.
    Reconnect,
}

/// An availability to set in book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// The resource.
    pub resource: ResourceName,
    /// Its experiment, for the log.
    pub stub: Stub,
    /// The availability to write.
    pub available: bool,
    /// The reason that book stores and students read. Starts with [`crate::model::OUR_PREFIX`],
    /// unless an operator gave it.
    pub reason: String,
    /// Whether it is a manual override, which may overwrite a manual hold.
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

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switch(switch) => write!(f, "{switch}"),
            Self::Notify(notification) => write!(f, "{}", notification.summary),
            Self::Ask(SourceName::Book) => f.write_str("poll book"),
            Self::Ask(name) => write!(f, "ask {name} for a report"),
            Self::Reconnect(name) => {
                write!(f, "give up the connection to {name} and make a new one")
            }
            Self::Sample(sample) => write!(
                f,
                "sample {} for {}",
                sample.topic,
                format_duration(sample.listen)
            ),
            Self::CheckPage(page) => write!(f, "check the page {page}"),
        }
    }
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = Availability {
            available: self.available,
            reason: self.reason.clone(),
        };
        let verb = match said.bookable() {
            Bookable::Yes => "give back",
            Bookable::Held => "hold",
            Bookable::Withdrawn => "withdraw",
        };
        write!(f, "{verb} {}: \"{}\"", self.resource, self.reason)
    }
}
