//! The decisions of labwatch: inputs and the time go in; changes, records and effects come out.
//!
//! Pure: no IO, no clock, no logging, no configuration files. The manifest of this crate keeps it
//! so.

#![cfg_attr(
    test,
    allow(clippy::too_many_lines, reason = "a table of cases may be long")
)]
#![warn(missing_docs)]

mod engine;
mod experiments;
mod groups;
pub mod model;
mod notifications;
pub mod protocol;
mod sources;
mod suppressions;
mod switching;

pub use engine::Engine;
pub use experiments::flapping::FlapRule;
pub use experiments::hysteresis::HysteresisTimes;
pub use groups::booking_history::{Booked, BookingChange};
pub use groups::bookings::Affected;
pub use groups::holds::{DEFAULT_OVERDUE_AFTER, Hold, HoldView};
pub use groups::pool::{Pool, PoolRule, PoolStatus, Severity};
pub use model::NamePattern;
pub use model::pattern::{matches, stem};
pub use notifications::Digest;
pub use notifications::advice::{Advice, AdviceError, Pattern};
pub use notifications::correlation::{Cause, CauseKind};
pub use notifications::route::{Channel, HttpChannel, Route};
pub use protocol::*;
pub use suppressions::{
    Acknowledgement, ActiveSuppressions, Day, Maintenance, NoteView, Occurrence, Refused, Schedule,
    Silence, Subject, Suppression, SuppressionEntry, SuppressionId, SuppressionKind, Weekly,
    check_text,
};
pub use switching::mismatch::Mismatch;
