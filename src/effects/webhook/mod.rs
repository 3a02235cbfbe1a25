//! Webhooks: posts the notifications that go out by mail as signed JSON. `message` is the format,
//! `send` delivers it. Decides neither what is notified nor when, nor whether a failed delivery is
//! retried.

mod message;
mod send;

pub use message::{MAX_BYTES, MAX_LISTED, VERSION, json};
pub use send::{AT_ONCE, HEADER_SIGNATURE, HEADER_TIMESTAMP, Webhook, run, signature};
