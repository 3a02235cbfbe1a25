//! Outcome of a mail in the types that all channels share, per recipient and as a whole. Pure.

use super::smtp::{
    DeliveryReport, EnvelopeAddress, MAX_QUOTED_CHARS, Outcome, Problem, RecipientOutcome,
    SmtpError,
};
use super::words;
use engine::model::CallError;
use engine::{Delivered, DeliveryFault, Outlook, Recipient, Unreached};

/// The outcome of a mail as a whole: a failure where no recipient has it and all have the same
/// outlook.
pub(super) fn verdict(report: &DeliveryReport) -> Result<Delivered, DeliveryFault> {
    let unreached: Vec<Unreached> = report.recipients.iter().filter_map(not_reached).collect();
    let first = unreached
        .first()
        .filter(|_| unreached.len() == report.recipients.len());
    match first {
        Some(first) if unreached.iter().all(|one| one.outlook == first.outlook) => {
            Err(DeliveryFault {
                fault: first.fault.clone(),
                outlook: first.outlook,
            })
        }
        _ => Ok(Delivered { unreached }),
    }
}

fn not_reached(one: &RecipientOutcome) -> Option<Unreached> {
    let (error, outlook) = match &one.outcome {
        Outcome::Delivered => return None,
        Outcome::Refused(error) => (error, Outlook::Refused),
        Outcome::NotYet(error) => (error, Outlook::Passing),
        Outcome::UnknownAfterDot(error) => (error, Outlook::Unknown),
    };
    Some(Unreached {
        recipient: recipient(&one.recipient),
        fault: fault_of(error),
        outlook,
    })
}

pub(super) fn recipient(address: &EnvelopeAddress) -> Recipient {
    Recipient::new(address.to_string())
}

/// The outcome for the recipients who did not have the mail before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circulated {
    /// The recipients who have it now, or are refused for good.
    pub settled: Vec<Recipient>,
    /// Why the other recipients do not have it yet, where there are any.
    pub pending: Option<CallError>,
}

impl Circulated {
    pub(super) fn of(report: &DeliveryReport) -> Self {
        let is_settled = |one: &&RecipientOutcome| {
            matches!(one.outcome, Outcome::Delivered | Outcome::Refused(_))
        };
        let settled = report.recipients.iter().filter(is_settled);
        let pending = report.recipients.iter().find_map(|one| match &one.outcome {
            Outcome::NotYet(error) | Outcome::UnknownAfterDot(error) => Some(fault_of(error)),
            Outcome::Delivered | Outcome::Refused(_) => None,
        });
        Self {
            settled: settled.map(|one| recipient(&one.recipient)).collect(),
            pending,
        }
    }
}

/// The error without the server's text, for the log: addresses and server texts are for maintainers
/// only.
pub(super) fn own_words(error: &SmtpError) -> String {
    if error.quotes_server() {
        fault_of(error).to_string()
    } else {
        error.to_string()
    }
}

/// The error as the type that all channels share.
pub(super) fn fault_of(error: &SmtpError) -> CallError {
    let said = error
        .reply
        .as_ref()
        .map(|reply| words::clip(&reply.text(), MAX_QUOTED_CHARS))
        .unwrap_or_default();
    match &error.problem {
        Problem::TimedOut(_) | Problem::NoTimeLeft => CallError::TimedOut,
        Problem::Dropped => CallError::Dropped,
        Problem::LoginRefused => CallError::Credentials(said),
        Problem::Answered => CallError::Sick {
            status: error.code().unwrap_or_default(),
            body: said,
        },
        Problem::HelloRefused(_) | Problem::RelayDenied => CallError::Sick {
            status: error.code().unwrap_or_default(),
            body: format!("{error}; it said: {said}"),
        },
        Problem::Malformed(_) | Problem::Unasked | Problem::Injected => {
            CallError::Protocol(error.to_string())
        }
        Problem::Unreachable(_)
        | Problem::NoStartTls
        | Problem::WantsStartTls
        | Problem::NotTls
        | Problem::Certificate(..)
        | Problem::Tls(_)
        | Problem::CaFile(..)
        | Problem::WantsLogin
        | Problem::NoLogin
        | Problem::OtherLogins(_)
        | Problem::NeedsUtf8 => CallError::Unreachable(error.to_string()),
    }
}
