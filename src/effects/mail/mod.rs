//! Tells maintainers by mail: `compose` chooses the words, `send` brings them to the mail server. Decides neither what is told nor when.

mod compose;
mod headers;
mod html;
mod message;
mod outcome;
mod probe;
mod send;
mod smtp;
mod subject;
#[cfg(test)]
mod tests;
mod words;

pub use compose::{Composed, Letter, MAX_ALERTS, MAX_NEWS, MAX_PROBLEMS, compose};
pub use send::{Circular, Mailer, MailerError, Recipients, run};
pub use smtp::{DeliveryReport, EnvelopeAddress, Outcome, Preflight, SmtpError};
