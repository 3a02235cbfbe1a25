//! Tells programs: posts what people would be mailed, as signed JSON. `message` is the shape,
//! `send` brings it there. Decides neither what is told nor when, nor whether what failed is tried
//! again.

mod message;
mod send;

pub use message::{MAX_BYTES, MAX_LISTED, VERSION, json};
pub use send::{AT_ONCE, HEADER_SIGNATURE, HEADER_TIMESTAMP, Webhook, run, signature};
