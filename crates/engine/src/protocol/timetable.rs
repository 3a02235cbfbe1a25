//! What can be booked and what is booked, as book last reported it.

use jiff::Timestamp;

use crate::model::ResourceName;
use crate::protocol::PageUse;

/// What can be booked and what is booked, as book last reported it. It cannot hold a user's name:
/// there is no field for one.
///
/// Each part stays as it was last read when a later reading of it fails; the times say how old it
/// is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timetable {
    /// What can be booked, sorted.
    pub slots: Vec<Slot>,
    /// What is booked and not cancelled, sorted by start. May have bookings that have ended since.
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
    /// Its booking policy.
    pub policy: String,
    /// The set of its user interfaces.
    pub ui_set: String,
}

/// A booking that was not cancelled, without its user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Booking {
    /// When it starts.
    pub start: Timestamp,
    /// When it ends, exclusive; after the start.
    pub end: Timestamp,
    /// The resource that it is for.
    pub resource: ResourceName,
    /// Whether its user has started it.
    pub started: bool,
    /// Whether book says that it could not be started, because its resource was withdrawn.
    pub unfulfilled: bool,
}
