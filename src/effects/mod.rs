//! What labwatch does outwardly: switching in book, mailing people, calling programs, publishing
//! the status. Carries out what the engine decided and reports how it went; decides nothing.

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

/// How long after the stop what is under way may still take. It is given up then.
pub const STOP_GRACE: Duration = Duration::from_secs(2);

/// Bytes in hexadecimal digits, in lower case.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}"); // a String takes everything
        hex
    })
}
