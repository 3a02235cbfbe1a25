//! Why no recipient has a message, and what that says about the next attempt.

use crate::model::CallError;

/// Why no recipient has a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryFault {
    /// What went wrong.
    pub fault: CallError,
    /// Whether a later attempt may get through.
    pub outlook: Outlook,
}

/// What a failed attempt says about the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// It may get through: what failed concerns this attempt, or what lies between.
    Passing,
    /// The other side will not take the same content later either (SMTP 5xx for it or for a
    /// recipient, HTTP 4xx).
    Refused,
    /// The other side had all of it and did not say what became of it: most likely it has taken it
    /// over.
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

    /// Whether it is the content that was refused. A password or a token that is refused says
    /// nothing about it.
    pub fn refuses_content(&self) -> bool {
        self.outlook == Outlook::Refused && !self.fault.refuses_us()
    }

    /// Whether a person has to mend something: the content, a password or a token is refused.
    pub fn needs_person(&self) -> bool {
        self.outlook == Outlook::Refused || self.fault.refuses_us()
    }
}
