//! What went wrong with a call to another server, told apart by what a person has to do about it.

use std::fmt;

use super::private::Visibility;

/// Why a call to book, jump, relay or a mail server failed. The text of each says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// No connection: name not found, refused, TLS trouble. Holds the system's words.
    Unreachable(String),
    /// No answer within the time limit.
    TimedOut,
    /// The server closed the connection without an answer.
    Dropped,
    /// The server does not accept our token: wrong secret, or the two clocks differ. Holds the server's words.
    Credentials(String),
    /// The server's own audience is another than the one we name. Holds the server's words.
    Audience(String),
    /// The token is fine but may not do this. Holds the server's words.
    Forbidden(String),
    /// There is no such thing at this address: wrong base path, or the thing is gone.
    NotFound(String),
    /// The server answered with an error of its own.
    Sick {
        /// The HTTP status, or the SMTP code.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
    /// The answer is not what this server should send.
    Protocol(String),
    /// We have too much under way to try this now.
    Busy,
}

impl CallError {
    /// One word for it, for fields of logs and metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::TimedOut => "timeout",
            Self::Dropped => "dropped",
            Self::Credentials(_) => "credentials",
            Self::Audience(_) => "audience",
            Self::Forbidden(_) => "forbidden",
            Self::NotFound(_) => "not-found",
            Self::Sick { .. } => "sick",
            Self::Protocol(_) => "protocol",
            Self::Busy => "busy",
        }
    }

    /// Whether the fault is in our settings, so that trying again cannot help until a person acts.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        matches!(
            self,
            Self::Credentials(_) | Self::Audience(_) | Self::Forbidden(_)
        )
    }
}

/// What went wrong in our own words alone, for logs and every reader. What the other side or the system said is private.
impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(_) => write!(f, "cannot connect"),
            Self::TimedOut => write!(f, "no answer within the time limit"),
            Self::Dropped => write!(f, "it closed the connection without an answer"),
            Self::Credentials(_) => write!(
                f,
                "it does not accept our token or password: check the secret and that the clocks agree"
            ),
            Self::Audience(_) => write!(
                f,
                "our audience is not the server's own: check host and base path"
            ),
            Self::Forbidden(_) => write!(f, "our token may not do this"),
            Self::NotFound(_) => write!(f, "nothing there: check the base path"),
            Self::Sick { status, .. } => write!(f, "it answered {status}"),
            Self::Protocol(_) => write!(f, "it does not speak as it should"),
            Self::Busy => write!(f, "too much is under way already"),
        }
    }
}

impl CallError {
    /// What went wrong, with what the other side or the system said where the reader may see that.
    #[must_use]
    pub fn words(&self, reader: Visibility) -> String {
        let quote = self.quote().filter(|quote| !quote.is_empty());
        match (quote.filter(|_| reader.is_full()), self) {
            (None, _) => self.to_string(),
            (Some(said), Self::Protocol(_)) => format!("{self}: {said}"),
            (
                Some(said),
                Self::Credentials(_) | Self::Audience(_) | Self::Forbidden(_) | Self::NotFound(_),
            ) => format!("{self} (it said: {said})"),
            (Some(said), _) => format!("{self} ({said})"),
        }
    }

    /// What the other side or the system said.
    fn quote(&self) -> Option<&str> {
        match self {
            Self::Unreachable(said)
            | Self::Credentials(said)
            | Self::Audience(said)
            | Self::Forbidden(said)
            | Self::NotFound(said)
            | Self::Protocol(said)
            | Self::Sick { body: said, .. } => Some(said),
            Self::TimedOut | Self::Dropped | Self::Busy => None,
        }
    }
}

impl std::error::Error for CallError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_said_is_for_maintainers_alone() {
        let said = || "alice@lab.example".to_owned();
        for error in [
            CallError::Unreachable(said()),
            CallError::Credentials(said()),
            CallError::Audience(said()),
            CallError::Forbidden(said()),
            CallError::NotFound(said()),
            CallError::Protocol(said()),
            CallError::Sick {
                status: 550,
                body: said(),
            },
        ] {
            let public = [error.to_string(), error.words(Visibility::PUBLIC)];
            assert!(
                public.iter().all(|words| !words.contains("alice")),
                "{public:?}"
            );
            assert!(error.words(Visibility::MAINTAINER).contains("alice"));
        }
    }
}
