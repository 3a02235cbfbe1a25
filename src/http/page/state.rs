//! The five states of an experiment and those of its bookability, with their names and shapes.
//! Vocabulary only.

use engine::model::{Bookable, Health};
use engine::{ExperimentView, Mismatch};

/// The state of an experiment on the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// It has everything that it should have.
    Ok,
    /// It is not evaluated.
    Unknown,
    /// Usable, with a loss.
    Degraded,
    /// It changes too often to rely on.
    Flapping,
    /// Students cannot use it.
    Down,
}

impl State {
    pub(super) const ALL: [Self; 5] = [
        Self::Ok,
        Self::Unknown,
        Self::Degraded,
        Self::Flapping,
        Self::Down,
    ];

    pub(super) fn of(view: &ExperimentView) -> Self {
        Self::from(view.health)
    }

    /// Its name, which is also the name of its shape and its colours.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Degraded => "degraded",
            Self::Flapping => "flapping",
            Self::Down => "down",
        }
    }

    /// The state of this name.
    pub(super) fn named(as_str: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == as_str)
    }

    /// Its meaning, for readers who see the name for the first time.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "Everything that it should have is there.",
            Self::Unknown => {
                "Not evaluated: it is new, or its source sends no reports. Whether it can be booked stays as it was."
            }
            Self::Degraded => {
                "Students can use it, with a loss: no remote login, or a stream that is not required is off."
            }
            Self::Flapping => "It comes and goes too often to rely on.",
            Self::Down => "Students cannot use it: a required stream is silent or missing.",
        }
    }

    /// Whether a maintainer should look at it.
    pub(super) fn is_problem(self) -> bool {
        match self {
            Self::Degraded | Self::Flapping | Self::Down => true,
            Self::Ok | Self::Unknown => false,
        }
    }

    /// Whether students can use it, as far as is known.
    pub(super) fn is_usable(self) -> bool {
        match self {
            Self::Ok | Self::Degraded => true,
            Self::Unknown | Self::Flapping | Self::Down => false,
        }
    }
}

impl From<Health> for State {
    fn from(health: Health) -> Self {
        match health {
            Health::Ok => Self::Ok,
            Health::Degraded => Self::Degraded,
            Health::Flapping => Self::Flapping,
            Health::Down => Self::Down,
            Health::Unknown => Self::Unknown,
        }
    }
}

/// The bookability of an experiment on the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Booking {
    Bookable,
    /// labwatch withdrew it.
    Withdrawn,
    /// A person holds it.
    Held,
    /// Book has not reported it yet.
    Unsaid,
    /// Book does not list it.
    Unlisted,
}

impl Booking {
    pub(super) const ALL: [Self; 5] = [
        Self::Bookable,
        Self::Withdrawn,
        Self::Held,
        Self::Unsaid,
        Self::Unlisted,
    ];

    pub(super) fn of(view: &ExperimentView) -> Self {
        match view.bookable() {
            Some(Bookable::Yes) => Self::Bookable,
            Some(Bookable::Withdrawn) => Self::Withdrawn,
            Some(Bookable::Held) => Self::Held,
            None if view.listed => Self::Unsaid,
            None => Self::Unlisted,
        }
    }

    /// Its name in addresses, which is also the name of its shape where it has one.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Bookable => "bookable",
            Self::Withdrawn => "withdrawn",
            Self::Held => "held",
            Self::Unsaid => "unsaid",
            Self::Unlisted => "unlisted",
        }
    }

    /// Its text, as in mails.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Bookable => "bookable",
            Self::Withdrawn => "withdrawn by labwatch",
            Self::Held => "held by a person",
            Self::Unsaid => "not known whether bookable",
            Self::Unlisted => "not listed in book",
        }
    }

    /// The shape beside the text.
    pub(super) fn shape(self) -> &'static str {
        match self {
            Self::Bookable => "bookable",
            Self::Withdrawn => "withdrawn",
            Self::Held => "held",
            Self::Unsaid | Self::Unlisted => "unknown",
        }
    }
}

/// The text for health and bookability that contradict each other. The engine decides whether they
/// do.
pub(super) fn mismatch_words(mismatch: Mismatch) -> &'static str {
    match mismatch {
        Mismatch::WorksNotBookable => "works, but cannot be booked",
        Mismatch::DownBookable => "does not work, but can be booked",
    }
}
