//! Outward effects: switching in book, mail, calls of webhooks, publication of the status. Carries
//! out what the engine decided and reports the outcome; decides nothing.

pub mod book;
pub mod channels;
pub mod deadman;
pub mod mail;
pub mod notification;
pub mod publish;
pub mod shadow;
mod side_by_side;
pub mod trial;
pub mod webhook;
mod window;

use std::fmt::Write as _;
use std::time::Duration;

use window::deliver;
pub use window::{Window, deliver_while_open, while_open};

/// How long work in flight may still take after the stop. It is aborted then.
pub const STOP_GRACE: Duration = Duration::from_secs(2);

/// Bytes in hexadecimal digits, in lower case.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}"); // a String takes everything
        hex
    })
}
