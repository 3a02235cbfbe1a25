//! Keys below the prefix: a name is escaped, so that each is one part of a path and of a file
//! system.

use std::fmt::Write as _;

/// The key of labwatch as a whole.
pub const AGENT: &str = "check/status/v1/agent";

/// The key of a component (`plugin`) or an experiment (`experiment`).
///
/// ```
/// # use labwatch::effects::publish::key_of;
/// assert_eq!(key_of("plugin", "book"), "check/status/v1/plugin/book");
/// assert_eq!(key_of("experiment", "../pend 00"), "check/status/v1/experiment/%2E.%2Fpend%2000");
/// ```
#[must_use]
pub fn key_of(kind: &str, name: &str) -> String {
    format!("check/status/v1/{kind}/{}", escaped(name))
}

/// A name with everything percent-encoded but letters and digits of ASCII, dashes, underscores,
/// tildes, and dots that do not lead it.
pub(super) fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        let is_plain =
            byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) || (byte == b'.' && at > 0);
        if is_plain {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}
