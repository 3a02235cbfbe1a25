//! Outcome of a delivery, for each recipient.

use super::error::{SmtpError, Step};
use super::{EnvelopeAddress, Problem};

/// Outcome of a mail for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The server has accepted it.
    Delivered,
    /// Refused for good: the recipient, or the content.
    Refused(SmtpError),
    /// Refused this time, may be accepted later.
    NotYet(SmtpError),
    /// The server had the whole mail and did not answer: most likely it has accepted it.
    UnknownAfterDot(SmtpError),
}

impl Outcome {
    /// Why the recipient does not have the mail, or may not.
    #[must_use]
    pub fn error(&self) -> Option<&SmtpError> {
        match self {
            Self::Delivered => None,
            Self::Refused(error) | Self::NotYet(error) | Self::UnknownAfterDot(error) => {
                Some(error)
            }
        }
    }
}

/// A recipient with the outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientOutcome {
    /// The recipient.
    pub recipient: EnvelopeAddress,
    /// The outcome.
    pub outcome: Outcome,
}

/// Outcome of one delivery.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeliveryReport {
    /// Every recipient, in the order given.
    pub recipients: Vec<RecipientOutcome>,
}

impl DeliveryReport {
    /// The recipients who have the mail.
    pub fn delivered(&self) -> impl Iterator<Item = &EnvelopeAddress> {
        self.recipients
            .iter()
            .filter(|one| one.outcome == Outcome::Delivered)
            .map(|one| &one.recipient)
    }

    /// The recipients who do not have it, or may not have it, each with the error.
    pub fn failures(&self) -> impl Iterator<Item = (&EnvelopeAddress, &SmtpError)> {
        self.recipients
            .iter()
            .filter_map(|one| Some((&one.recipient, one.outcome.error()?)))
    }

    /// Where every recipient is refused, the refusal hardly concerns them: the server does not know
    /// us, or is set up wrong. That passes.
    #[must_use]
    pub fn spare_all(mut self) -> Self {
        let all = self.recipients.iter().all(|one| {
            matches!(&one.outcome, Outcome::Refused(error)
                if error.step == Step::Recipient || error.problem == Problem::NeedsUtf8)
        });
        if all {
            for one in &mut self.recipients {
                if let Outcome::Refused(error) = &one.outcome {
                    one.outcome = Outcome::NotYet(error.clone());
                }
            }
        }
        self
    }
}
