//! The script of the awkward mail server: its answers, and when. Pure.

use std::time::Duration;

/// The pattern of the greeting, which answers no command.
pub const GREETING: &str = "greeting";

/// The server's action instead of its positive answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    pub(super) bytes: Vec<u8>,
    pub(super) delay: Duration,
    pub(super) piece: Option<usize>,
    pub(super) then: Then,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Then {
    #[default]
    GoOn,
    Hang,
    HangUp,
}

impl Answer {
    /// A line.
    #[must_use]
    pub fn line(text: &str) -> Self {
        Self::bytes(format!("{text}\r\n"))
    }

    /// Exactly these bytes.
    #[must_use]
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: bytes.into(),
            ..Self::default()
        }
    }

    /// Nothing, ever.
    #[must_use]
    pub fn hang() -> Self {
        Self {
            then: Then::Hang,
            ..Self::default()
        }
    }

    /// Nothing: it closes the connection.
    #[must_use]
    pub fn hang_up() -> Self {
        Self {
            then: Then::HangUp,
            ..Self::default()
        }
    }

    /// This long after the command.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// So many bytes at a time.
    #[must_use]
    pub fn in_pieces(self, bytes: usize) -> Self {
        Self {
            piece: Some(bytes.max(1)),
            ..self
        }
    }

    /// And then it closes the connection.
    #[must_use]
    pub fn then_hang_up(self) -> Self {
        Self {
            then: Then::HangUp,
            ..self
        }
    }
}

/// When the server does so: at commands with some prefix, in any case; `.` is the end of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    start: String,
    pub(super) answer: Answer,
    from: usize,
    to: usize,
    secure: Option<bool>,
    seen: usize,
}

impl Rule {
    /// Each time.
    #[must_use]
    pub fn on(start: &str, answer: Answer) -> Self {
        Self {
            start: start.to_ascii_lowercase(),
            answer,
            from: 0,
            to: usize::MAX,
            secure: None,
            seen: 0,
        }
    }

    /// The first so many times.
    #[must_use]
    pub fn first(self, times: usize) -> Self {
        Self { to: times, ..self }
    }

    /// All but the first so many times.
    #[must_use]
    pub fn behind(self, times: usize) -> Self {
        Self {
            from: times,
            ..self
        }
    }

    /// Only under TLS, or only without.
    #[must_use]
    pub fn under_tls(self, secure: bool) -> Self {
        Self {
            secure: Some(secure),
            ..self
        }
    }

    pub(super) fn matches(&mut self, line: &str, secure: bool) -> bool {
        let fits = line.to_ascii_lowercase().starts_with(&self.start)
            && self.secure.is_none_or(|wanted| wanted == secure);
        if fits {
            self.seen += 1;
        }
        fits && self.seen > self.from && self.seen <= self.to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_counts_what_it_fits() {
        let mut early = Rule::on("RCPT TO:<bob", Answer::hang()).first(1);
        let mut late = Rule::on("rcpt", Answer::hang()).behind(1);
        let mut secure = Rule::on("rcpt", Answer::hang()).under_tls(true);
        let bob = "rcpt to:<BOB@example.org>";
        assert!(!early.matches("RCPT TO:<ann@example.org>", false));
        assert_eq!(
            [early.matches(bob, false), early.matches(bob, false)],
            [true, false]
        );
        assert_eq!(
            [late.matches(bob, false), late.matches(bob, false)],
            [false, true]
        );
        assert_eq!(
            [secure.matches(bob, false), secure.matches(bob, true)],
            [false, true]
        );
    }
}
