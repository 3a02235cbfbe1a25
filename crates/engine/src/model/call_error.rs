//! Failures of calls to other servers, distinguished by the action that they need and by whose
//! fault they are.

use std::fmt;

use super::private::Visibility;
use super::words::words;

/// Why a call to book, jump, relay or a mail server failed. The text of each says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// The host's name was not found, or no name server answered. Holds the system's message.
    NameLookup(String),
    /// The host is there and refuses the connection. Holds the system's message.
    Refused(String),
    /// There is no way to the host: no route, no network, or this host's own firewall. Holds the
    /// system's message.
    NoRoute(String),
    /// No TLS connection that can be trusted: another CA, or no TLS at all. Holds the library's
    /// message.
    Tls(String),
    /// The server's certificate has ended, has not begun, or is for another name: its fault, or
    /// that of our clock or of the address that is set. Says which.
    Certificate(String),
    /// No connection for another reason. Holds the system's message.
    Unreachable(String),
    /// Our own proxy cannot be reached, wants another password, or does not let us through. Holds
    /// its message, or the system's.
    Proxy(String),
    /// No answer within the time limit.
    TimedOut,
    /// The server closed the connection without an answer.
    Dropped,
    /// No answer, for one of two reasons; holds which, and on what way.
    NoAnswer(String),
    /// The server does not accept our token: wrong secret, or the two clocks differ. Holds the
    /// server's message.
    Credentials(String),
    /// The server's own audience is another than the one that we name. Holds the server's message.
    Audience(String),
    /// The token is valid but does not permit this. Holds the server's message.
    Forbidden(String),
    /// There is nothing at this address: wrong base path, or the object is gone. Holds the server's
    /// message.
    NotFound(String),
    /// The server answered with a status other than success.
    Sick {
        /// The HTTP status, or the SMTP code.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
    /// A 5xx came through our own proxy, which may have made it up itself.
    SickByProxy {
        /// The HTTP status.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
    /// The answer is not what this server should send.
    Protocol(String),
    /// We have too many calls under way to try this one now.
    Busy,
}

/// Whose fault it is that a source cannot be reached. Only *theirs* says anything about the
/// experiments behind the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FaultClass {
    /// Labwatch's own: its settings, its network, its proxy, or what it can read.
    Ours,
    /// The source's own: it serves no other client either.
    Theirs,
    /// It may be either.
    #[default]
    Undecided,
}

/// The step in which a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// The HTTP API: relay's and jump's access request, a poll of book.
    Access,
    /// The websocket that relay's or jump's access API has just granted.
    Websocket,
}

/// Why the reports of relay or jump cannot be subscribed to, with the step that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectError {
    /// What failed.
    pub step: Step,
    /// How.
    pub error: CallError,
}

words!(FaultClass { Ours => "ours", Theirs => "theirs", Undecided => "undecided" });

impl ConnectError {
    /// The access request failed.
    pub fn access(error: CallError) -> Self {
        Self {
            step: Step::Access,
            error,
        }
    }

    /// The access request was answered, and the websocket failed.
    pub fn websocket(error: CallError) -> Self {
        Self {
            step: Step::Websocket,
            error,
        }
    }

    /// Whose fault it is.
    pub fn class(&self) -> FaultClass {
        self.error.class(self.step)
    }

    /// What failed, with the other side's or the system's message where the reader may see that.
    pub fn words(&self, reader: Visibility) -> String {
        let error = self.error.words(reader);
        match self.step {
            Step::Access => error,
            Step::Websocket => format!("the access API answers, but the websocket fails: {error}"),
        }
    }
}

/// Without the other side's message, as for a [`CallError`].
impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(Visibility::PUBLIC))
    }
}

impl CallError {
    /// Its name, for fields of logs and metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NameLookup(_) => "name-lookup",
            Self::Refused(_) => "refused",
            Self::NoRoute(_) => "no-route",
            Self::Tls(_) => "tls",
            Self::Certificate(_) => "certificate",
            Self::Unreachable(_) => "unreachable",
            Self::Proxy(_) => "proxy",
            Self::TimedOut => "timeout",
            Self::Dropped => "dropped",
            Self::NoAnswer(_) => "no-answer",
            Self::Credentials(_) => "credentials",
            Self::Audience(_) => "audience",
            Self::Forbidden(_) => "forbidden",
            Self::NotFound(_) => "not-found",
            Self::Sick { .. } => "sick",
            Self::SickByProxy { .. } => "sick-by-proxy",
            Self::Protocol(_) => "protocol",
            Self::Busy => "busy",
        }
    }

    /// Whose fault it is when a source cannot be reached because of it. `docs/sources.md` has the
    /// table.
    ///
    /// A websocket fails only after the access API has answered. Then the server runs and others
    /// hear it, so whatever keeps us alone from the websocket is ours.
    pub fn class(&self, step: Step) -> FaultClass {
        use FaultClass::{Ours, Theirs, Undecided};
        match self {
            Self::Refused(_) => match step {
                Step::Access => Theirs,
                Step::Websocket => Ours,
            },
            Self::Unreachable(_) => match step {
                Step::Access => Undecided,
                Step::Websocket => Ours,
            },
            Self::TimedOut
            | Self::Dropped
            | Self::NoAnswer(_)
            | Self::Certificate(_)
            | Self::SickByProxy { .. } => Undecided,
            Self::Sick { status, .. } => class_of_status(*status),
            Self::NameLookup(_)
            | Self::NoRoute(_)
            | Self::Tls(_)
            | Self::Proxy(_)
            | Self::Credentials(_)
            | Self::Audience(_)
            | Self::Forbidden(_)
            | Self::NotFound(_)
            | Self::Protocol(_)
            | Self::Busy => Ours,
        }
    }

    /// Whether the server refuses our credentials or address, so that a retry cannot help until an
    /// operator changes the settings.
    pub fn refuses_us(&self) -> bool {
        matches!(
            self,
            Self::Credentials(_) | Self::Audience(_) | Self::Forbidden(_)
        )
    }

    /// The same error with another text in the place of the body of an answer.
    #[must_use]
    pub fn with_body(mut self, words: &str) -> Self {
        if let Self::Sick { body, .. } | Self::SickByProxy { body, .. } = &mut self {
            words.clone_into(body);
        }
        self
    }

    /// Whether there was no connection to the server at all.
    pub fn is_without_connection(&self) -> bool {
        matches!(
            self,
            Self::NameLookup(_)
                | Self::Refused(_)
                | Self::NoRoute(_)
                | Self::Tls(_)
                | Self::Certificate(_)
                | Self::Unreachable(_)
                | Self::Proxy(_)
        )
    }
}

/// A 5xx is the server's own fault, unless it says that this is no server for our call: that it has
/// no such method (501) or speaks another HTTP (505), or that the network wants a login (511). Too
/// many calls (429) and a request that took too long (408) may be either's fault. Any other status
/// comes from a wrong address or setting.
fn class_of_status(status: u16) -> FaultClass {
    match status {
        408 | 429 => FaultClass::Undecided,
        500 | 502..=504 | 506..=510 | 512..=599 => FaultClass::Theirs,
        _ => FaultClass::Ours,
    }
}

/// The error without the other side's message, for logs and every reader: what the other side or
/// the system said is private.
impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(Visibility::PUBLIC))
    }
}

impl CallError {
    /// The error, with the other side's or the system's message where the reader may see that.
    pub fn words(&self, reader: Visibility) -> String {
        let said = self.quote();
        let said = said.filter(|quote| reader.is_full() && !quote.is_empty());
        match (self, said) {
            (Self::NoAnswer(_), Some(why)) => why.to_owned(),
            (Self::Protocol(_), Some(said)) => format!("{}: {said}", self.own_words("")),
            (
                Self::Credentials(_) | Self::Audience(_) | Self::Forbidden(_) | Self::NotFound(_),
                Some(said),
            ) => format!("{} (it said: {said})", self.own_words("")),
            (_, Some(said)) => self.own_words(&format!(" ({said})")),
            (_, None) => self.own_words(""),
        }
    }

    /// The other side's or the system's message.
    fn quote(&self) -> Option<&str> {
        match self {
            Self::NameLookup(said)
            | Self::Refused(said)
            | Self::NoRoute(said)
            | Self::Tls(said)
            | Self::Certificate(said)
            | Self::Unreachable(said)
            | Self::Proxy(said)
            | Self::NoAnswer(said)
            | Self::Credentials(said)
            | Self::Audience(said)
            | Self::Forbidden(said)
            | Self::NotFound(said)
            | Self::Protocol(said)
            | Self::Sick { body: said, .. }
            | Self::SickByProxy { body: said, .. } => Some(said),
            Self::TimedOut | Self::Dropped | Self::Busy => None,
        }
    }

    /// What went wrong, with `said` where it belongs.
    fn own_words(&self, said: &str) -> String {
        match self {
            Self::NameLookup(_) => format!(
                "the name of its host cannot be looked up{said}: check the name, and the name servers of this host"
            ),
            Self::Refused(_) | Self::Unreachable(_) => format!("cannot connect{said}"),
            Self::NoRoute(_) => format!(
                "there is no way to it from here{said}: check the network and the firewall of this host"
            ),
            Self::Tls(_) | Self::Certificate(_) => format!("cannot connect by TLS{said}"),
            Self::Proxy(_) => format!(
                "our proxy does not let us through{said}: check HTTP_PROXY, HTTPS_PROXY and ALL_PROXY, or name the host in NO_PROXY"
            ),
            Self::Sick { status, .. } => format!("it answered {status}{said}"),
            Self::SickByProxy { status, .. } => format!("our proxy answered {status} for it{said}"),
            Self::TimedOut => "no answer within the time limit".to_owned(),
            Self::Dropped => "it closed the connection without an answer".to_owned(),
            Self::NoAnswer(_) => "no answer".to_owned(),
            Self::Credentials(_) => {
                "it does not accept our token or password: check the secret and that the clocks agree".to_owned()
            }
            Self::Audience(_) => {
                "our audience is not the server's own: check host and base path".to_owned()
            }
            Self::Forbidden(_) => "our token may not do this".to_owned(),
            Self::NotFound(_) => "nothing there: check the base path".to_owned(),
            Self::Protocol(_) => "it does not speak as it should".to_owned(),
            Self::Busy => "too much is under way already".to_owned(),
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
        let body = said();
        for error in [
            CallError::NameLookup(said()),
            CallError::Refused(said()),
            CallError::NoRoute(said()),
            CallError::Tls(said()),
            CallError::Certificate(said()),
            CallError::Unreachable(said()),
            CallError::Proxy(said()),
            CallError::Credentials(said()),
            CallError::Audience(said()),
            CallError::Forbidden(said()),
            CallError::NotFound(said()),
            CallError::Protocol(said()),
            CallError::Sick {
                status: 550,
                body: body.clone(),
            },
            CallError::SickByProxy { status: 502, body },
        ] {
            let whole = ConnectError::websocket(error.clone());
            let public = [
                error.to_string(),
                error.words(Visibility::PUBLIC),
                whole.to_string(),
            ];
            assert!(
                public.iter().all(|words| !words.contains("alice")),
                "{public:?}"
            );
            assert!(error.words(Visibility::MAINTAINER).contains("alice"));
            assert!(whole.words(Visibility::MAINTAINER).contains("alice"));
        }
    }
}
