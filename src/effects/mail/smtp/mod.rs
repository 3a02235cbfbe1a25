//! Delivery by SMTP (RFC 5321) with an outcome for each recipient: the connection, its protection,
//! login and the transactions. Does not look into the mail, and never retries by itself.

mod address;
mod connection;
mod deliver;
mod error;
mod hello;
mod limits;
mod login;
mod preflight;
mod reply;
mod report;
mod session;
#[cfg(test)]
mod tests;
mod tls;

pub use address::{EnvelopeAddress, ascii_domain};
pub use deliver::deliver;
pub use error::{MAX_QUOTED_CHARS, Problem, SmtpError};
pub use limits::Limits;
pub use preflight::{Preflight, greet, log_in, preflight};
pub use reply::Reply;
pub use report::{DeliveryReport, Outcome, RecipientOutcome};
