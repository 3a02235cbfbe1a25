//! What can be wrong with the answer to a call.

use std::fmt;
use std::time::Duration;

use engine::model::{format_duration, parse_duration};

/// How a call is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpFault {
    /// As it should be: `ok`.
    Works,
    /// With this status and an error of the server's framework: `status CODE`.
    Status(u16),
    /// With this status and body, whatever they mean: `answers CODE BODY`.
    Answer(u16, String),
    /// With this status and a web page, as by a proxy in front of it: `page CODE`.
    Page(u16),
    /// After this time: `slow TIME`.
    Slow(Duration),
    /// Not before the fault is ended: `hangs`.
    Hang,
    /// Not at all, the connection is dropped: `drops`.
    Drop,
    /// Once, and the connection is kept alive; the next call on it is met by a reset: `resets`.
    Reset,
    /// What is to be written is said to be, and is not; all else is as it should be: `deaf`.
    Deaf,
}

impl HttpFault {
    /// The fault that these words stand for.
    pub(crate) fn read(words: &[&str]) -> Option<Self> {
        Some(match words {
            ["ok"] => Self::Works,
            ["status", code] => Self::Status(code.parse().ok()?),
            ["answers", code, body @ ..] => Self::Answer(code.parse().ok()?, body.join(" ")),
            ["page", code] => Self::Page(code.parse().ok()?),
            ["slow", delay] => Self::Slow(parse_duration(delay).ok()?),
            ["hangs"] => Self::Hang,
            ["drops"] => Self::Drop,
            ["resets"] => Self::Reset,
            ["deaf"] => Self::Deaf,
            _ => return None,
        })
    }
}

impl fmt::Display for HttpFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Works => f.write_str("ok"),
            Self::Status(code) => write!(f, "status {code}"),
            Self::Answer(code, body) => write!(f, "answers {code} {body}"),
            Self::Page(code) => write!(f, "page {code}"),
            Self::Slow(delay) => write!(f, "slow {}", format_duration(*delay)),
            Self::Hang => f.write_str("hangs"),
            Self::Drop => f.write_str("drops"),
            Self::Reset => f.write_str("resets"),
            Self::Deaf => f.write_str("deaf"),
        }
    }
}
