//! Tells maintainers by mail: `compose` chooses the words, `send` brings them to the mail server. Decides neither what is told nor when.

mod compose;
#[cfg(test)]
mod fake_smtp;
mod html;
mod probe;
mod send;
mod subject;
mod words;

pub use compose::{Composed, Letter, MAX_ALERTS, MAX_NEWS, MAX_PROBLEMS, compose};
pub use probe::probe;
pub use send::{Circular, Mailer, MailerError, Recipients, run};
