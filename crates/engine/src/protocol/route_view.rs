//! How it stands with each route, for readers of a snapshot.

use jiff::Timestamp;

use crate::model::{CallError, Health, RouteName, Stub};
use crate::notifications::route::Channel;
use crate::protocol::Recipient;

/// A way to people, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteView {
    /// Its name.
    pub name: RouteName,
    /// How it is told.
    pub channel: Channel,
    /// When a summary last arrived, since the start.
    pub last_sent: Option<Timestamp>,
    /// Since when there is something to tell that has not been told.
    pub waiting_since: Option<Timestamp>,
    /// Why the last attempt failed, where it did.
    pub fault: Option<CallError>,
    /// How many attempts failed in a row.
    pub failures: u32,
    /// When what waits was refused for good. It is kept, and tried again when something changes,
    /// or after an hour.
    pub refused: Option<Timestamp>,
    /// The recipients who do not have what the others have, sorted.
    pub unreached: Vec<UnreachedView>,
}

/// A recipient of a route who is not reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreachedView {
    /// Who.
    pub recipient: Recipient,
    /// Since when.
    pub since: Timestamp,
    /// Why the last attempt failed.
    pub fault: CallError,
    /// Whether the recipient is refused for good, so that only the next message is tried again.
    pub refused: bool,
}

/// What the people of a route were told bad about an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldView {
    /// The experiment.
    pub stub: Stub,
    /// The route.
    pub route: RouteName,
    /// How they were told it is.
    pub health: Health,
    /// When they were last told.
    pub at: Timestamp,
    /// How often it was unusable within a day, where it comes and goes and they are told no more
    /// of it until it holds.
    pub unsteady: Option<u32>,
}
