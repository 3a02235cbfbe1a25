//! Why a token or a session is refused, and why one cannot be created.

use super::token::{MAX_LIFE, MAX_NAME_BYTES};

/// Why a token or a session is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is no token, or not signed with our secret.
    #[error("this is not a token of this labwatch")]
    Forged,
    /// It is for something else.
    #[error("this token is for something else")]
    Audience,
    /// Its time is over.
    #[error("this token has expired")]
    Expired,
    /// It says that it was issued in the future, or that its time has not begun.
    #[error("the time of this token has not begun: the clocks differ")]
    Future,
    /// It would live longer than [`MAX_LIFE`].
    #[error("this token lives longer than a token may")]
    TooLong,
    /// It was revoked.
    #[error("this token was revoked")]
    Revoked,
    /// It can only report, and a session is for reading.
    #[error("this token can only report: sign in with one that has the scope read")]
    ReportOnly,
    /// There is no secret, so there are no tokens.
    #[error("this labwatch takes no tokens: it has no secret_api")]
    NoSecret,
}

impl Refusal {
    pub const ALL: [Self; 8] = [
        Self::Forged,
        Self::Audience,
        Self::Expired,
        Self::Future,
        Self::TooLong,
        Self::Revoked,
        Self::ReportOnly,
        Self::NoSecret,
    ];

    /// Its name in addresses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forged => "forged",
            Self::Audience => "audience",
            Self::Expired => "expired",
            Self::Future => "future",
            Self::TooLong => "too-long",
            Self::Revoked => "revoked",
            Self::ReportOnly => "report-only",
            Self::NoSecret => "no-secret",
        }
    }
}

/// Nothing could be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The name is empty, too long, or has characters that must not be in a log.
    #[error("the name must have 1 to {max_name_bytes} printable characters", max_name_bytes = MAX_NAME_BYTES)]
    Name,
    /// The life is zero, or longer than [`MAX_LIFE`].
    #[error("from 1s to {}d is allowed", MAX_LIFE.as_secs() / 86_400)]
    Life,
    /// It may report, but names nothing to report on.
    #[error("a token that may report names what it reports on, such as wiki,pend*")]
    Reports,
    /// The system provides no randomness.
    #[error("the system gives no random numbers")]
    Random,
    /// The signing library refuses.
    #[error("it cannot be signed: {0}")]
    Library(jsonwebtoken::errors::Error),
}
