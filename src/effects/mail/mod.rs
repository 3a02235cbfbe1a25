//! Notifies maintainers by mail: `compose` lays out what is said, `send` brings it to the mail
//! server. Decides neither what is said nor when.

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
