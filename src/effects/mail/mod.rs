//! Notifications by mail: `compose` lays them out, `send` delivers them to the mail server. Decides
//! neither their content nor when they are sent.

mod compose;
mod headers;
mod html;
mod message;
mod outcome;
mod probe;
mod send;
mod smtp;
#[cfg(test)]
mod tests;

use super::notification::{Presentation, words};

pub use compose::{Composed, compose};
pub use outcome::Circulated;
pub use send::{Circular, Mailer, MailerError, run};
pub use smtp::{DeliveryReport, EnvelopeAddress, Outcome, Preflight, SmtpError};
