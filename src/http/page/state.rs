//! The five words for how an experiment is, and the words for whether it can be booked. Vocabulary
//! only.

use engine::model::{Bookable, Health};
use engine::{ExperimentView, Mismatch};

/// How an experiment is, as the page says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// Everything that it should have is there.
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
    /// All of them, from good to bad.
    pub(super) const ALL: [Self; 5] = [
        Self::Ok,
        Self::Unknown,
        Self::Degraded,
        Self::Flapping,
        Self::Down,
    ];

    /// How an experiment is.
    pub(super) fn of(view: &ExperimentView) -> Self {
        Self::from(view.health)
    }

    /// The word for it, which is also the name of its shape and its colours.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Degraded => "degraded",
            Self::Flapping => "flapping",
            Self::Down => "down",
        }
    }

    /// The state of this word.
    pub(super) fn named(as_str: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == as_str)
    }

    /// What it means, for people who see the word for the first time.
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

/// Whether an experiment can be booked, as the page says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Booking {
    /// It can.
    Bookable,
    /// labwatch withdrew it.
    Withdrawn,
    /// A person holds it.
    Held,
    /// Book has not said yet.
    Unsaid,
    /// Book does not list it.
    Unlisted,
}

impl Booking {
    /// All of them.
    pub(super) const ALL: [Self; 5] = [
        Self::Bookable,
        Self::Withdrawn,
        Self::Held,
        Self::Unsaid,
        Self::Unlisted,
    ];

    /// Whether an experiment can be booked.
    pub(super) fn of(view: &ExperimentView) -> Self {
        match view.bookable() {
            Some(Bookable::Yes) => Self::Bookable,
            Some(Bookable::Withdrawn) => Self::Withdrawn,
            Some(Bookable::Held) => Self::Held,
            None if view.listed => Self::Unsaid,
            None => Self::Unlisted,
        }
    }

    /// The word for it in addresses, which is also the name of its shape where it has one.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Bookable => "bookable",
            Self::Withdrawn => "withdrawn",
            Self::Held => "held",
            Self::Unsaid => "unsaid",
            Self::Unlisted => "unlisted",
        }
    }

    /// The words for it, as in mails.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Bookable => "bookable",
            Self::Withdrawn => "withdrawn by labwatch",
            Self::Held => "held by a person",
            Self::Unsaid => "not known whether bookable",
            Self::Unlisted => "not listed in book",
        }
    }

    /// The shape beside the words.
    pub(super) fn shape(self) -> &'static str {
        match self {
            Self::Bookable => "bookable",
            Self::Withdrawn => "withdrawn",
            Self::Held => "held",
            Self::Unsaid | Self::Unlisted => "unknown",
        }
    }
}

/// The words for health and bookability that do not fit together. The engine says whether they do.
pub(super) fn mismatch_words(mismatch: Mismatch) -> &'static str {
    match mismatch {
        Mismatch::WorksNotBookable => "works, but cannot be booked",
        Mismatch::DownBookable => "does not work, but can be booked",
    }
}
