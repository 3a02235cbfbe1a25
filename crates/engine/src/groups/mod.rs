//! What experiments belong to: pools, bookings and holds.

pub(crate) mod booking_history;
pub(crate) mod bookings;
pub(crate) mod category;
pub(crate) mod holds;
pub(crate) mod pool;
