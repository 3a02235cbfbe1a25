//! Time limits for each reply (RFC 5321, section 4.5.3.2).

use std::time::Duration;

/// The longest until a server begins to accept the content. It may check the recipients now.
const DATA: Duration = Duration::from_secs(120);

/// The longest that one block of the content may take.
const BLOCK: Duration = Duration::from_secs(180);

/// The longest that a server may take to accept the content. It may scan it for malware; giving up
/// too early makes duplicates.
const FINAL_DOT: Duration = Duration::from_secs(600);

/// The longest that naming all recipients may take. Those not named by then are left for another
/// delivery.
const RECIPIENTS: Duration = Duration::from_secs(600);

/// The longest for connecting, and for a reply, in a probe.
const A_LOOK: Duration = Duration::from_secs(30);

/// The longest that a server may take to answer QUIT. Its reply changes nothing.
const QUIT: Duration = Duration::from_secs(1);

/// How long each step may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connecting, all addresses together; and TLS.
    pub connect: Duration,
    /// Each answer up to the recipients.
    pub command: Duration,
    /// The answer to DATA.
    pub data: Duration,
    /// Each block of the content.
    pub block: Duration,
    /// The answer after the final dot.
    pub final_dot: Duration,
    /// All recipients of a transaction together.
    pub recipients: Duration,
    /// The answer to QUIT.
    pub quit: Duration,
}

impl Limits {
    /// The limits where `EMAIL_TIMEOUT` is `command`.
    #[must_use]
    pub fn of(command: Duration) -> Self {
        Self {
            connect: A_LOOK.min(command),
            command,
            data: DATA.max(command),
            block: BLOCK.max(command),
            final_dot: FINAL_DOT,
            recipients: RECIPIENTS.max(command),
            quit: QUIT,
        }
    }

    /// The limits for a probe of the server, which sends nothing.
    #[must_use]
    pub fn of_a_look(self) -> Self {
        Self {
            command: A_LOOK.min(self.command),
            ..self
        }
    }
}
