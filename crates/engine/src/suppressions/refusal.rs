//! Why something cannot be acknowledged, silenced or planned, with what to do. Decides nothing.

use jiff::Timestamp;

use super::entry::{Subject, SuppressionId};
use crate::model::{Health, Stub};

/// Why a request was refused. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Only what is bad can be acknowledged.
    #[error(
        "{stub} is {health}: only what is bad can be acknowledged; to suppress its notifications beforehand, silence it"
    )]
    NotBad {
        /// The experiment.
        stub: Stub,
        /// How it is.
        health: Health,
    },
    /// It is acknowledged already.
    #[error("{subject} is acknowledged already by {who} (number {id}): end that one first")]
    AlreadyAcknowledged {
        /// What.
        subject: Subject,
        /// The number of the acknowledgement.
        id: SuppressionId,
        /// Whose it is.
        who: String,
    },
    /// The end is not after the beginning.
    #[error("it would end at {until}, which is not after its begin at {from}")]
    EndsBeforeItBegins {
        /// When it would begin.
        from: Timestamp,
        /// When it would end.
        until: Timestamp,
    },
    /// The end has passed already.
    #[error("its end, {until}, has passed already: give one in the future")]
    Past {
        /// When it would have ended.
        until: Timestamp,
    },
    /// It would last too long.
    #[error("it would last for more than {most_days} days: give an earlier end")]
    TooLong {
        /// The most days.
        most_days: i64,
    },
    /// A user's text is missing, too long, or garbled.
    #[error("\"{field}\" must be one line of text, not empty and at most {most} bytes long")]
    Text {
        /// Which: `who`, `text`, `reason`.
        field: &'static str,
        /// The most bytes.
        most: usize,
    },
    /// There are too many already.
    #[error("there are {most} {what} already, the most that are kept: end some first")]
    Full {
        /// What there is too much of: `acknowledgements`, `silences`, `maintenance windows`.
        what: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// There is none with this number: it has ended, or never was.
    #[error("there is nothing with the number {0}: it has ended, or never was")]
    NotFound(SuppressionId),
}
