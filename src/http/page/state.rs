//! The five states of an experiment and those of its bookability, with their names and shapes.
//! Vocabulary only.

use engine::model::Bookable;
/// How an experiment is: the engine's words, which are also the names of shapes and colours.
pub(super) use engine::model::Health as State;
use engine::{ExperimentView, Mismatch};

/// All states, from good to bad; what is not evaluated is no problem.
pub(super) const STATES: [State; 5] = [
    State::Ok,
    State::Unknown,
    State::Degraded,
    State::Flapping,
    State::Down,
];

/// The place of a state among all, from good to bad.
pub(super) fn rank(state: State) -> usize {
    STATES.iter().take_while(|known| **known != state).count()
}

/// What a state means, for people who see the word for the first time.
pub(super) fn meaning(state: State) -> &'static str {
    match state {
        State::Ok => "Everything that it should have is there.",
        State::Unknown => {
            "Not evaluated: it is new, or its source sends no reports. Whether it can be booked stays as it was."
        }
        State::Degraded => {
            "Students can use it, with a loss: no remote login, or a stream that is not required is off."
        }
        State::Flapping => "It comes and goes too often to rely on.",
        State::Down => "Students cannot use it: a required stream is silent or missing.",
    }
}

/// Whether students can use what is in this state, as far as is known.
pub(super) fn is_usable(state: State) -> bool {
    matches!(state, State::Ok | State::Degraded)
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
