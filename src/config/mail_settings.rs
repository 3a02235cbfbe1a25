//! The settings of mail, as the mailer takes them.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::fingerprint::Fingerprint;

#[derive(Debug, Clone)]
pub struct MailSettings {
    /// `EMAIL_HOST`.
    pub host: String,
    /// `EMAIL_PORT`.
    pub port: u16,
    /// `EMAIL_TLS`.
    pub tls: MailTls,
    /// `EMAIL_HELLO`: the name by which the server is greeted; `None`: this host's own.
    pub hello: Option<String>,
    /// `EMAIL_TLS_CA`: a file with CA certificates that are trusted beside the system's.
    pub tls_ca: Option<PathBuf>,
    /// `EMAIL_TLS_FINGERPRINT`: the one certificate that is accepted.
    pub tls_fingerprint: Option<Fingerprint>,
    /// `EMAIL_AUTH_TYPE`, with the user name and password that it needs.
    pub auth: MailAuth,
    /// `EMAIL_FROM`, as written: an address, or a name with an address.
    pub from: String,
    /// `EMAIL_TO`, at least one.
    pub to: Vec<String>,
    /// `EMAIL_CC`.
    pub cc: Vec<String>,
    /// `EMAIL_SUBJECT`: the prefix of every subject.
    pub subject: String,
    /// `EMAIL_LINK`: the address of the whole status; may be empty.
    pub link: String,
    /// `EMAIL_TIMEOUT`: the longest that connecting, and each answer before the content, may take.
    pub timeout: Duration,
    /// `EMAIL_GATHER`.
    pub gather: Duration,
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTls {
    None,
    /// By STARTTLS, without which nothing is sent.
    StartTls,
    Implicit,
}

/// The login at the mail server.
#[derive(Debug, Clone)]
pub enum MailAuth {
    None,
    Plain {
        /// `EMAIL_USERNAME`, or the address of `EMAIL_FROM`.
        user: String,
        /// `EMAIL_PASSWORD`.
        password: SecretString,
    },
    Login {
        /// `EMAIL_USERNAME`, or the address of `EMAIL_FROM`.
        user: String,
        /// `EMAIL_PASSWORD`.
        password: SecretString,
    },
    /// By whichever of the two the server offers.
    Auto {
        /// `EMAIL_USERNAME`, or the address of `EMAIL_FROM`.
        user: String,
        /// `EMAIL_PASSWORD`.
        password: SecretString,
    },
}

impl fmt::Display for MailTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no TLS",
            Self::StartTls => "STARTTLS",
            Self::Implicit => "implicit TLS",
        })
    }
}
