//! What a mail to the maintainers says, before anybody chooses the words: the difference between what they were last told and what is.

use std::time::Duration;

use jiff::Timestamp;

use super::bookings::Affected;
use super::event::Issue;
use super::snapshot::Counts;
use crate::model::{Bookable, Health, Stub};

/// One mail's content.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// A number that grows by one with each attempt.
    pub id: u64,
    /// When it was put together.
    pub at: Timestamp,
    /// What is new since people were last told: problems first, the soonest booked before others; then what is well again.
    pub news: Vec<Line>,
    /// Every experiment that is not well, new ones included, in the same order.
    pub problems: Vec<Line>,
    /// What concerns the whole laboratory: sources, book's manifest, our own blindness.
    pub alerts: Vec<Alert>,
    /// How many experiments are in which state.
    pub counts: Counts,
    /// What is worth knowing beside the problems themselves.
    pub background: Background,
}

/// One experiment in a mail.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The experiment.
    pub stub: Stub,
    /// Its health now.
    pub health: Health,
    /// The health that people were last told, or [`Health::Ok`] where they were told nothing.
    pub told: Health,
    /// Whether it can be booked; `None` when book does not list it or has not told yet.
    pub bookable: Option<Bookable>,
    /// Whether book's manifest lists it.
    pub listed: bool,
    /// What is wrong; empty when it is well.
    pub issues: Vec<Issue>,
    /// Since when it is as it is.
    pub since: Timestamp,
    /// How long it was bad, where it is well again.
    pub lasted: Option<Duration>,
    /// The bookings of it that are under way or to come.
    pub affected: Affected,
    /// What can be done about it, where its symptoms tell.
    pub advice: Option<String>,
}

/// What is worth knowing beside the problems themselves, in words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Background {
    /// What several new losses have in common.
    pub causes: Vec<String>,
    /// Pools of interchangeable experiments that have less left than is booked within 24 h.
    pub short_pools: Vec<String>,
    /// Resources that people have held for so long that they look forgotten.
    pub forgotten_holds: Vec<String>,
    /// Acknowledgements and silences that have lasted for so long that they look forgotten.
    pub forgotten_quiet: Vec<String>,
}

/// Something that concerns the whole laboratory.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// What is wrong and what to do, or that it has ended.
    pub text: String,
    /// Since when it was or is so.
    pub since: Timestamp,
    /// How long it lasted, where it has ended.
    pub ended: Option<Duration>,
    /// Whether people have not been told this yet.
    pub new: bool,
}
