//! Why something cannot be acknowledged, silenced or planned, in words that say what to do. Decides nothing.

use std::fmt;

use jiff::Timestamp;

use super::entry::{Subject, SuppressionId};
use crate::model::{Health, Stub};

/// A bound that is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SuppressionLimit {
    /// What there is too much of: `acknowledgements`, `silences`, `maintenance windows`.
    pub what: &'static str,
    /// How many there may be.
    pub most: usize,
}

/// Why a request was refused. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Only what is bad can be acknowledged.
    NotBad {
        /// The experiment.
        stub: Stub,
        /// How it is.
        health: Health,
    },
    /// It is acknowledged already.
    AlreadyAcknowledged {
        /// What.
        subject: Subject,
        /// The number of the acknowledgement.
        id: SuppressionId,
        /// Whose it is.
        who: String,
    },
    /// The end is not after the beginning.
    EndsBeforeItBegins {
        /// When it would begin.
        from: Timestamp,
        /// When it would end.
        until: Timestamp,
    },
    /// The end has passed already.
    Past {
        /// When it would have ended.
        until: Timestamp,
    },
    /// It would last too long.
    TooLong {
        /// The most days.
        most_days: i64,
    },
    /// A text that people read is missing, too long, or garbled.
    Text {
        /// Which: `who`, `text`, `reason`.
        field: &'static str,
        /// The most bytes.
        most: usize,
    },
    /// There are too many already.
    Full(SuppressionLimit),
    /// There is none with this number: it has ended, or never was.
    NotFound(SuppressionId),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBad { stub, health } => {
                write!(
                    f,
                    "{stub} is {health}: only what is bad can be acknowledged; to keep it quiet beforehand, silence it"
                )
            }
            Self::AlreadyAcknowledged { subject, id, who } => {
                write!(
                    f,
                    "{subject} is acknowledged already by {who} (number {id}): end that one first"
                )
            }
            Self::EndsBeforeItBegins { from, until } => write!(
                f,
                "it would end at {until}, which is not after its begin at {from}"
            ),
            Self::Past { until } => write!(
                f,
                "its end, {until}, has passed already: give one in the future"
            ),
            Self::TooLong { most_days } => write!(
                f,
                "it would last for more than {most_days} days: give an earlier end"
            ),
            Self::Text { field, most } => write!(
                f,
                "\"{field}\" must be one line of text, not empty and at most {most} bytes long"
            ),
            Self::Full(limit) => write!(
                f,
                "there are {} {} already, the most that are kept: end some first",
                limit.most, limit.what
            ),
            Self::NotFound(id) => write!(
                f,
                "there is nothing with the number {id}: it has ended, or never was"
            ),
        }
    }
}

impl std::error::Error for Refused {}
