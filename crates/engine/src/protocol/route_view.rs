//! The state of each route, for readers of a snapshot.

use jiff::Timestamp;

use crate::model::{CallError, Health, RouteName, Stub};
use crate::notifications::route::Channel;
use crate::protocol::Recipient;

/// The state of a notification route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteView {
    /// Its name.
    pub name: RouteName,
    /// Its channel.
    pub channel: Channel,
    /// When a summary last arrived, since the start.
    pub last_sent: Option<Timestamp>,
    /// Since when there is pending news.
    pub waiting_since: Option<Timestamp>,
    /// Why the last attempt failed, where it did.
    pub fault: Option<CallError>,
    /// How many attempts failed in a row.
    pub failures: u32,
    /// When the pending content was refused permanently. It is kept, and retried when it changes,
    /// or after an hour.
    pub refused: Option<Timestamp>,
    /// The recipients who lack notifications that others have, sorted.
    pub unreached: Vec<UnreachedView>,
}

/// A recipient of a route to whom delivery fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreachedView {
    /// The recipient.
    pub recipient: Recipient,
    /// Since when.
    pub since: Timestamp,
    /// Why the last attempt failed.
    pub fault: CallError,
    /// Whether the recipient is refused permanently, so that only the next message is tried again.
    pub refused: bool,
}

/// The notification of a bad experiment on a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifiedView {
    /// The experiment.
    pub stub: Stub,
    /// The route.
    pub route: RouteName,
    /// The notified health.
    pub health: Health,
    /// When it was last notified.
    pub at: Timestamp,
    /// How often it was unusable within a day, where it is unsteady and further notifications wait
    /// until it is stable.
    pub unsteady: Option<u32>,
}
