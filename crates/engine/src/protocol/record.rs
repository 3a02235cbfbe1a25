//! What happened and what was decided, for the history and the log: one list, with one rendering.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::groups::booking_history::BookingChange;
use crate::model::{
    Availability, Health, Private, ResourceName, RouteName, SourceHealth, SourceName, Stub,
    Visibility, format_duration,
};
use crate::protocol::category::{CategoryState, Cause};
use crate::protocol::command::{ManualOverride, Order, Receipt};
use crate::protocol::effect::Switch;
use crate::protocol::event::Event;
use crate::protocol::input::{DeliveryFault, SwitchOutcome};
pub use crate::protocol::manifest_change::ManifestChange;
use crate::protocol::state::Notified;
use crate::protocol::summary::Summary;
use crate::suppressions::{Ended, SuppressionEntry, SuppressionId};

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
    Requested {
        /// The resource.
        resource: ResourceName,
        /// What is wanted.
        manual_override: Option<ManualOverride>,
    },
    /// A category was closed or opened, or quarantines more than before.
    Category {
        /// The category.
        name: String,
        /// How it is now.
        state: Box<CategoryState>,
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
    SuppressionEnded(Box<Ended>),
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
    /// Most of the experiments that were usable are lost at once: a second look comes before any of them counts as down.
    SecondLook {
        /// How many are lost.
        lost: usize,
        /// Of how many that were looked at.
        of: usize,
    },
    /// A summary is about to be sent.
    Notifying(Arc<Summary>),
    /// A summary that is not known to have arrived has nothing left to tell: a later one tells it, or its route is not notified of it.
    Superseded(u64),
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

/// How much a record matters to the person who reads the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Bookkeeping.
    Debug,
    /// As it should be, or worth knowing.
    Info,
    /// Something is wrong that labwatch goes on to work at.
    Warn,
    /// Something is wrong that a person has to mend.
    Error,
}

impl Record {
    /// How much it matters. What labwatch tries again by itself is a warning; what only a person can mend is an error.
    #[must_use]
    pub fn level(&self) -> Level {
        match self {
            Self::Seen(_)
            | Self::Notified { .. }
            | Self::Requested { .. }
            | Self::Suppression { .. }
            | Self::Superseded(_)
            | Self::Bookings(_) => Level::Debug,
            Self::Event { event, .. } => match event.health {
                Health::Ok | Health::Unknown => Level::Info,
                Health::Degraded | Health::Flapping | Health::Down => Level::Warn,
            },
            Self::Switched { outcome, .. } => match outcome {
                SwitchOutcome::Confirmed(_) | SwitchOutcome::Held(_) => Level::Info,
                SwitchOutcome::Failed(fault) if fault.refuses_us() => Level::Error,
                SwitchOutcome::Gone | SwitchOutcome::Failed(_) => Level::Warn,
            },
            Self::Source { health, .. } => match health {
                SourceHealth::Live | SourceHealth::Starting => Level::Info,
                SourceHealth::Late => Level::Warn,
                SourceHealth::Down => Level::Error,
            },
            Self::Delivered { outcome, .. } => match outcome {
                Ok(()) => Level::Info,
                Err(fault) if fault.permanent => Level::Error,
                Err(_) => Level::Warn,
            },
            Self::Category { state, .. } if !state.enabled && state.cause == Cause::Fault => {
                Level::Warn
            }
            Self::Manifest(ManifestChange::Lost) | Self::Blind(true) => Level::Error,
            Self::SecondLook { .. }
            | Self::Sampling {
                keeps_up: false, ..
            } => Level::Warn,
            Self::Switching(_)
            | Self::Hold { .. }
            | Self::Category { .. }
            | Self::Commanded { .. }
            | Self::SuppressionEnded(_)
            | Self::Forgotten(_)
            | Self::RouteGone(_)
            | Self::Manifest(_)
            | Self::Pools(_)
            | Self::Blind(false)
            | Self::Notifying(_)
            | Self::Sampling { keeps_up: true, .. } => Level::Info,
        }
    }
}

impl fmt::Display for Record {
    /// In the words that every reader may see.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.words(Visibility::PUBLIC, f)
    }
}

/// A record in the words for a reader.
#[derive(Debug, Clone, Copy)]
pub struct RecordFor<'a>(pub &'a Record, pub Visibility);

impl fmt::Display for RecordFor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.words(self.1, f)
    }
}

impl Record {
    fn words(&self, reader: Visibility, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event { stub, event } => write!(f, "{stub} {event}"),
            Self::Switching(switch) => write!(f, "{switch}"),
            Self::Switched {
                resource, outcome, ..
            } => switched(f, resource, outcome, reader),
            Self::Source {
                name,
                health,
                note,
                said,
            } => match said.show(reader).unwrap_or(note).as_str() {
                "" => write!(f, "{name} is {health}"),
                note => write!(f, "{name} is {health}: {note}"),
            },
            Self::Hold { resource, reason } => match reason {
                Some(reason) => write!(f, "{resource} is held by a person: \"{reason}\""),
                None => write!(f, "the hold on {resource} is gone"),
            },
            Self::Requested {
                resource,
                manual_override,
            } => requested(f, resource, manual_override.as_ref()),
            Self::Category { name, state } => category(f, name, state),
            Self::Commanded { order, .. } => write!(f, "{}: {}", order.by, order.command),
            Self::Suppression { entry, .. } => {
                write!(f, "the {} of {} begins", entry.noun(), entry.about())
            }
            Self::SuppressionEnded(ended) => write!(f, "{ended}"),
            Self::Seen(stub) => write!(f, "{stub} is seen for the first time"),
            Self::Forgotten(stub) => write!(
                f,
                "{stub} is forgotten: book does not list it, and it was not seen for a day"
            ),
            Self::Notified { route, .. } => write!(f, "what {route} was notified of is kept"),
            Self::RouteGone(route) => write!(
                f,
                "route {route} is not configured any more: what it was notified of is forgotten"
            ),
            Self::Manifest(change) => write!(f, "{change}"),
            Self::Bookings(changes) => write!(f, "{} bookings changed", changes.len()),
            Self::Pools(pools) => write!(f, "there are {} pools of experiments", pools.len()),
            Self::Blind(true) => f.write_str(
                "relay, jump and book are all silent: labwatch is probably cut off; nothing is switched",
            ),
            Self::Blind(false) => f.write_str("labwatch hears from the laboratory again"),
            Self::SecondLook { lost, of } => write!(
                f,
                "{lost} of {of} experiments are lost at once: nothing is withdrawn before a second look shows the same"
            ),
            Self::Notifying(summary) => write!(f, "{summary}"),
            Self::Superseded(id) => write!(f, "#{id} has nothing left to tell"),
            Self::Delivered { id, outcome } => match outcome {
                Ok(()) => write!(f, "#{id} sent"),
                Err(DeliveryFault { fault, permanent }) => {
                    let how = if *permanent { " (for good)" } else { "" };
                    write!(f, "#{id} not sent: {}{how}", fault.words(reader))
                }
            },
            Self::Sampling {
                streams,
                round,
                keeps_up,
                failures,
            } => {
                let how = if *keeps_up {
                    "keeps up"
                } else {
                    "does not keep up"
                };
                let round = format_duration(*round);
                write!(
                    f,
                    "listening {how}: {streams} streams, a round takes {round}, {failures} failures in a row"
                )
            }
        }
    }
}

fn switched(
    f: &mut fmt::Formatter<'_>,
    resource: &ResourceName,
    outcome: &SwitchOutcome,
    reader: Visibility,
) -> fmt::Result {
    match outcome {
        SwitchOutcome::Confirmed(said) => {
            write!(f, "book confirms: {resource} is {}", said.bookable())
        }
        SwitchOutcome::Held(Availability { reason, .. }) => {
            write!(f, "{resource} left alone, a person holds it: \"{reason}\"")
        }
        SwitchOutcome::Gone => write!(f, "{resource} not switched: book does not know it"),
        SwitchOutcome::Failed(fault) => {
            write!(f, "{resource} not switched: {}", fault.words(reader))
        }
    }
}

fn category(f: &mut fmt::Formatter<'_>, name: &str, state: &CategoryState) -> fmt::Result {
    let CategoryState {
        by,
        reason,
        quarantined,
        ..
    } = state;
    if state.enabled {
        return write!(f, "category {name} is opened by {by}: {reason}");
    }
    write!(f, "category {name} is closed by {by}: {reason}")?;
    match quarantined.len() {
        0 => Ok(()),
        n => write!(f, "; {n} experiments stay withdrawn until it is opened"),
    }
}

fn requested(
    f: &mut fmt::Formatter<'_>,
    resource: &ResourceName,
    manual_override: Option<&ManualOverride>,
) -> fmt::Result {
    match manual_override {
        Some(ManualOverride::Hold(_)) => {
            write!(f, "a person's hold of {resource} is to be written")
        }
        Some(ManualOverride::Enable) => {
            write!(f, "a person's release of {resource} is to be written")
        }
        None => write!(f, "what a person asked of {resource} is done"),
    }
}
