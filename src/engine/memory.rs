//! What the engine has to know of the time before it was started, and what it says to be kept for that.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::diary::Booked;
use super::event::{Event, Issue};
use crate::model::{Health, SourceName, Stub};

/// What is remembered at the start. Without any of it the engine begins as on its first day.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Memory {
    /// Every experiment that is known, and not new.
    pub experiments: Vec<Remembered>,
    /// What people were last told, where that is other than "all is well".
    pub told: Vec<Told>,
    /// Experiments of mails of which nobody knows whether they arrived, with since when they were bad.
    pub owed: Vec<(Stub, Timestamp)>,
    /// The number of the last mail.
    pub last_mail: u64,
    /// The bookings that are kept and not over.
    pub bookings: Vec<Booked>,
}

/// What is remembered of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Remembered {
    /// Its name.
    pub stub: Stub,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// Its latest events, oldest first.
    pub events: Vec<Arc<Event>>,
}

/// What people were told about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// About an experiment; `None`: that it is well.
    Experiment(Stub, Option<Known>),
    /// About the whole laboratory, with since when; `None`: that it has ended.
    Concern(Concern, Option<Timestamp>),
}

/// What people know about an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Its health.
    pub health: Health,
    /// What is wrong.
    pub issues: Vec<Issue>,
    /// Whether book lists it.
    pub listed: bool,
    /// Since when it is bad.
    pub bad_since: Option<Timestamp>,
}

/// Something that concerns the whole laboratory. The order is that in a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Concern {
    /// All sources are silent: we are cut off.
    Blind,
    /// A source tells nothing.
    Source(SourceName),
    /// Book has lost its manifest.
    ManifestLost,
    /// Streams cannot be sampled as often as the rule needs.
    Sampling,
}

impl Concern {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Blind,
        Self::Source(SourceName::Relay),
        Self::Source(SourceName::Jump),
        Self::Source(SourceName::Book),
        Self::ManifestLost,
        Self::Sampling,
    ];

    /// A word for it that stays the same.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Blind => "blind",
            Self::Source(name) => name.word(),
            Self::ManifestLost => "manifest",
            Self::Sampling => "sampling",
        }
    }
}
