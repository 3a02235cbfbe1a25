//! What happened and what was decided, for the history and the log: one list, with one text form.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::groups::booking_history::BookingChange;
use crate::model::{
    Health, PageName, Private, ResourceName, RouteName, SourceHealth, SourceName, Stub,
};
use crate::protocol::{
    CategoryCause, CategoryState, Delivered, DeliveryFault, Event, Lane, ManualOverride,
    Notification, Notified, Order, PageHealth, Receipt, Switch, SwitchOutcome,
};
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
        /// Its experiment.
        stub: Stub,
        /// The outcome.
        outcome: SwitchOutcome,
    },
    /// A source's health changed.
    Source {
        /// The source.
        name: SourceName,
        /// How it is now.
        health: SourceHealth,
        /// The problem and what to do, or that it is over.
        note: String,
        /// The same with the source's own message.
        said: Private<String>,
    },
    /// A resource is held, or released.
    Hold {
        /// The resource.
        resource: ResourceName,
        /// The operator's reason; `None` when the hold is gone.
        reason: Option<String>,
    },
    /// The manual override of a resource; `None` once book has confirmed it.
    Requested {
        /// The resource.
        resource: ResourceName,
        /// The override.
        manual_override: Option<ManualOverride>,
    },
    /// A category was closed or opened, or quarantines more than before.
    Category {
        /// The category.
        name: String,
        /// How it is now.
        state: Box<CategoryState>,
    },
    /// A maintainer's command was carried out.
    Commanded {
        /// The command, and who gave it.
        order: Box<Order>,
        /// The answer.
        receipt: Box<Receipt>,
    },
    /// A suppression was added, active now or planned.
    Suppression {
        /// Its number.
        id: SuppressionId,
        /// The suppression.
        entry: Box<SuppressionEntry>,
    },
    /// A suppression ended.
    SuppressionEnded(Box<Ended>),
    /// An experiment was seen for the first time.
    Seen(Stub),
    /// An experiment is forgotten: seen again, it is new.
    Forgotten(Stub),
    /// The notified state of a route's recipients has changed.
    Notified {
        /// The route.
        route: RouteName,
        /// The notified state now.
        notified: Notified,
    },
    /// A route is not configured any more: its notified state is forgotten.
    RouteGone(RouteName),
    /// Book's manifest changed.
    Manifest(ManifestChange),
    /// The bookings that changed, and no others.
    Bookings(Vec<BookingChange>),
    /// The pools changed: the experiments of each, by its name.
    Pools(BTreeMap<String, Vec<Stub>>),
    /// All sources are silent, so that labwatch is cut off, or that has ended.
    Blind(bool),
    /// Most of the usable experiments are lost at once: a second look comes before any of them
    /// counts as down.
    SecondLook {
        /// How many are lost.
        lost: usize,
        /// Of how many that were observed.
        of: usize,
    },
    /// The state of a page that students open changed.
    Page {
        /// Its host and path.
        page: PageName,
        /// How it is now.
        health: PageHealth,
        /// The check's result.
        note: String,
        /// The same with the system's message.
        said: Private<String>,
        /// How many resources are opened on it.
        resources: usize,
    },
    /// A new message is about to be sent.
    Notifying(Notification),
    /// A message is about to be retried, for those of its recipients who do not have it.
    Retrying {
        /// The number of the summary.
        id: u64,
        /// The route.
        route: RouteName,
        /// Which attempt it is, from 1 on.
        attempt: u32,
    },
    /// Some recipients of a route do not have a message that the others have, and are notified
    /// separately from now on. `None`: they know the same again.
    Lane {
        /// The name under which their notified state is stored.
        name: RouteName,
        /// The recipients.
        lane: Option<Lane>,
    },
    /// A message that none of its recipients accepted waits for its retry.
    Waiting {
        /// The number of the summary.
        id: u64,
        /// The route, or the lane of it, that waits for it.
        lane: RouteName,
        /// Until when, unless there is other news before.
        until: Timestamp,
        /// Whether it may have arrived all the same: then it waits that long also across a
        /// restart.
        may_have_arrived: bool,
    },
    /// A summary whose delivery is unconfirmed has no content left: a later one covers it, or its
    /// route is not notified of it.
    Superseded(u64),
    /// A message was tried.
    Delivered {
        /// The number of the summary.
        id: u64,
        /// The outcome.
        outcome: Result<Delivered, DeliveryFault>,
    },
    /// Whether every stream is sampled as often as the rule needs, or not.
    Sampling {
        /// How many streams are sampled.
        streams: usize,
        /// How long one round over all of them takes.
        round: Duration,
        /// Whether a round fits into `HEALTH_LAST_ACTIVE`, and sampling works.
        keeps_up: bool,
        /// How many samples failed in a row.
        failures: u32,
    },
}

/// The change of book's manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestChange {
    /// Book gives an empty manifest: it has lost it. Its last contents are kept.
    Lost,
    /// Book has a manifest again.
    Back,
    /// The list of resources changed.
    Changed {
        /// Resources that are new.
        added: Vec<ResourceName>,
        /// Resources that are gone.
        removed: Vec<ResourceName>,
    },
}

/// The log level of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Bookkeeping.
    Debug,
    /// Normal, or worth knowing.
    Info,
    /// A problem that labwatch keeps retrying.
    Warn,
    /// A problem that an operator has to fix.
    Error,
}

impl Record {
    /// Its level. What labwatch retries by itself is a warning; what only an operator can fix is an
    /// error.
    pub fn level(&self) -> Level {
        match self {
            Self::Seen(_)
            | Self::Notified { .. }
            | Self::Requested { .. }
            | Self::Suppression { .. }
            | Self::Superseded(_)
            | Self::Lane { .. }
            | Self::Waiting { .. }
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
                Ok(delivered) if delivered.unreached.is_empty() => Level::Info,
                Err(fault) if fault.needs_person() => Level::Error,
                Ok(_) | Err(_) => Level::Warn,
            },
            Self::Category { state, .. }
                if !state.enabled && state.cause == CategoryCause::Fault =>
            {
                Level::Warn
            }
            Self::Manifest(ManifestChange::Lost) | Self::Blind(true) => Level::Error,
            Self::Page { health, .. } if *health != PageHealth::Works => Level::Warn,
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
            | Self::Page { .. }
            | Self::Blind(false)
            | Self::Notifying(_)
            | Self::Retrying { .. }
            | Self::Sampling { keeps_up: true, .. } => Level::Info,
        }
    }
}
