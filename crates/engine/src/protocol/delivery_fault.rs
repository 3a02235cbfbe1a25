//! Why no recipient has a message, and the outlook of the next attempt.

use crate::model::CallError;

/// Why no recipient has a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryFault {
    /// What went wrong.
    pub fault: CallError,
    /// Whether a later attempt may get through.
    pub outlook: Outlook,
}

/// The outlook of the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// It may succeed: the failure concerns this attempt, or the network.
    Passing,
    /// The other side will refuse the same content later too (SMTP 5xx for it or for a recipient,
    /// HTTP 4xx).
    Refused,
    /// The other side had all of it and did not confirm it: most likely it has accepted it.
    Unknown,
}

impl DeliveryFault {
    /// A failure that may pass.
    pub fn passing(fault: CallError) -> Self {
        Self {
            fault,
            outlook: Outlook::Passing,
        }
    }

    /// A refusal for good.
    pub fn refused(fault: CallError) -> Self {
        Self {
            fault,
            outlook: Outlook::Refused,
        }
    }

    /// Whether the content was refused. A refused password or token says nothing about it.
    pub fn refuses_content(&self) -> bool {
        self.outlook == Outlook::Refused && !self.fault.refuses_us()
    }

    /// Whether an operator has to act: the content, a password or a token is refused.
    pub fn needs_person(&self) -> bool {
        self.outlook == Outlook::Refused || self.fault.refuses_us()
    }
}
