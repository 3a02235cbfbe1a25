//! Errors of a mail server, with texts that say what to change. The server's own text is kept
//! apart: it may name persons and hosts.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use super::reply::{Malformed, Reply};
use crate::clients::ConnectError;
use crate::config::Fingerprint;

/// The step of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Connecting.
    Connect,
    /// The TLS handshake.
    Tls,
    /// The server's greeting.
    Greeting,
    /// EHLO or HELO.
    Hello,
    /// STARTTLS.
    StartTls,
    /// AUTH.
    Login,
    /// MAIL.
    Sender,
    /// RCPT.
    Recipient,
    /// DATA.
    Data,
    /// The content, up to the final dot.
    Content,
    /// After the final dot.
    FinalDot,
    /// NOOP or RSET.
    Idle,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "on connecting",
            Self::Tls => "during the TLS handshake",
            Self::Greeting => "as its greeting",
            Self::Hello => "to EHLO",
            Self::StartTls => "to STARTTLS",
            Self::Login => "to AUTH",
            Self::Sender => "to MAIL",
            Self::Recipient => "to RCPT",
            Self::Data => "to DATA",
            Self::Content => "while the mail was sent",
            Self::FinalDot => "after the mail was sent",
            Self::Idle => "to NOOP or RSET",
        })
    }
}

/// What is wrong with a server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateProblem {
    /// It ended at this time.
    Expired(Timestamp),
    /// It begins at this time.
    NotYetValid(Timestamp),
    /// It is valid for these names only.
    WrongName(Vec<String>),
    /// No known CA vouches for it.
    UnknownIssuer,
    /// It is not the one that `EMAIL_TLS_FINGERPRINT` names.
    OtherFingerprint,
    /// Something else, with the library's text.
    Other(String),
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// No connection.
    Unreachable(ConnectError),
    /// No answer within this time.
    TimedOut(Duration),
    /// The server closed the connection.
    Dropped,
    /// The bytes are not SMTP.
    Malformed(Malformed),
    /// The server replied before a command.
    Unasked,
    /// Bytes followed the reply to STARTTLS in clear: a third party on the way wrote them.
    Injected,
    /// The server refused, and no other variant describes it better.
    Answered,
    /// It does not offer STARTTLS.
    NoStartTls,
    /// It wants STARTTLS first.
    WantsStartTls,
    /// The port does not speak TLS from the first byte.
    NotTls,
    /// Its certificate is not accepted. Holds the fingerprint of the one that it presented.
    Certificate(CertificateProblem, Option<Fingerprint>),
    /// The TLS handshake failed otherwise, with the library's text.
    Tls(String),
    /// The file of `EMAIL_TLS_CA` cannot be used, with the reason.
    CaFile(PathBuf, String),
    /// It wants a login, and none is set.
    WantsLogin,
    /// It offers no login at all.
    NoLogin,
    /// It offers none of the login mechanisms that are set or known; it offers these.
    OtherLogins(Vec<String>),
    /// It does not accept user name and password.
    LoginRefused,
    /// It does not accept the name by which we greet it.
    HelloRefused(String),
    /// It does not forward mail for us.
    RelayDenied,
    /// The address has characters that only a server with SMTPUTF8 accepts.
    NeedsUtf8,
    /// Other recipients of the mail took too long.
    NoTimeLeft,
}

/// An error, the step at which it occurred, and the server's reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpError {
    /// At which step.
    pub step: Step,
    /// What went wrong.
    pub problem: Problem,
    /// The server's reply, where it is the error. Only for readers who may see private facts.
    pub reply: Option<Reply>,
}

impl SmtpError {
    pub(super) fn new(step: Step, problem: Problem) -> Self {
        Self {
            step,
            problem,
            reply: None,
        }
    }

    /// What a refusal means. `hello` is the name by which we greeted.
    pub(super) fn answered(step: Step, reply: Reply, hello: &str) -> Self {
        let problem = match reply.code {
            530 if reply.mentions("starttls") || reply.mentions("tls") => Problem::WantsStartTls,
            538 => Problem::WantsStartTls,
            530 if step != Step::Login => Problem::WantsLogin,
            530 | 534 | 535 => Problem::LoginRefused,
            450.. if reply.mentions("helo ") || reply.mentions("ehlo ") => {
                Problem::HelloRefused(hello.to_owned())
            }
            501 | 504 | 550 | 553 | 554 if step == Step::Hello => {
                Problem::HelloRefused(hello.to_owned())
            }
            550.. if step == Step::Recipient && reply.mentions("relay") => Problem::RelayDenied,
            _ => Problem::Answered,
        };
        Self {
            step,
            problem,
            reply: Some(reply),
        }
    }

    /// The code of the server's answer.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        self.reply.as_ref().map(|reply| reply.code)
    }

    /// The same with the server's name in front, unless it is named already.
    #[must_use]
    pub fn at(&self, server: &str) -> String {
        if matches!(self.problem, Problem::Unreachable(_)) {
            self.with_reply()
        } else {
            format!("{server}: {}", self.with_reply())
        }
    }

    /// The sentence with the server's own text, only for readers who may see private facts.
    #[must_use]
    pub fn with_reply(&self) -> String {
        match &self.reply {
            Some(reply) if !reply.text().is_empty() => {
                let said = super::super::words::clip(&reply.text(), MAX_QUOTED_CHARS);
                format!("{self} (it said: {} {said})", reply.code)
            }
            _ => self.to_string(),
        }
    }
}

impl SmtpError {
    /// Whether the text contains text of the server or of the system.
    pub fn quotes_server(&self) -> bool {
        matches!(
            self.problem,
            Problem::Unreachable(_)
                | Problem::Tls(_)
                | Problem::OtherLogins(_)
                | Problem::Certificate(
                    CertificateProblem::WrongName(_) | CertificateProblem::Other(_),
                    _
                )
        )
    }
}

/// How much of a server's text is shown, in characters.
pub const MAX_QUOTED_CHARS: usize = 200;

impl std::error::Error for SmtpError {}

impl fmt::Display for SmtpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = self.step;
        match &self.problem {
            Problem::Unreachable(error) => write!(f, "{error}"),
            Problem::TimedOut(after) if step == Step::Greeting => write!(
                f,
                "it sends no greeting within {}: where the port is for TLS from the first byte, set email_tls to implicit",
                seconds(*after)
            ),
            Problem::TimedOut(after) => write!(f, "no answer {step} within {}", seconds(*after)),
            Problem::Dropped => write!(f, "it closed the connection {}", at(step)),
            Problem::Malformed(what) => f.write_str(malformed(*what)),
            Problem::Unasked => write!(f, "it answered before it was asked, {}", at(step)),
            Problem::Injected => f.write_str(
                "something was written in clear behind its answer to STARTTLS: the connection is tampered with; set email_tls to implicit where the server can",
            ),
            Problem::Answered => write!(f, "it answered {} {step}", self.code().unwrap_or_default()),
            Problem::Certificate(problem, shown) => certificate(f, problem, shown.as_ref()),
            Problem::Tls(why) => write!(f, "the TLS handshake failed: {why}"),
            Problem::CaFile(path, why) => {
                write!(f, "email_tls_ca: {} cannot be used: {why}", path.display())
            }
            Problem::OtherLogins(offered) => write!(
                f,
                "it offers only {} to log in: set email_auth_type to auto, or use another server",
                offered.join(", ")
            ),
            Problem::HelloRefused(name) => write!(
                f,
                "it does not accept the name {name} in EHLO: set email_hello to this host's full name in DNS"
            ),
            Problem::NoStartTls => f.write_str(
                "it does not offer STARTTLS: set email_tls to implicit with the port for it (465), or to none",
            ),
            Problem::WantsStartTls => {
                f.write_str("it wants STARTTLS first: set email_tls to starttls")
            }
            Problem::NotTls => f.write_str(
                "it does not speak TLS on this port: set email_tls to starttls, or email_port to the port for TLS from the first byte (465)",
            ),
            Problem::WantsLogin => f.write_str(
                "it wants a login: set email_auth_type to auto, email_username and email_password",
            ),
            Problem::NoLogin => f.write_str(
                "it offers no login here: set email_auth_type to none, or the port for submission (587)",
            ),
            Problem::LoginRefused => f.write_str(
                "it does not accept our user name and password: check email_username and email_password",
            ),
            Problem::RelayDenied => f.write_str(
                "it does not forward mail for us: it must allow this host, or set email_auth_type and a password",
            ),
            Problem::NeedsUtf8 => f.write_str(
                "the address has letters outside of ASCII before its @, and the server does not offer SMTPUTF8: use another address",
            ),
            Problem::NoTimeLeft => {
                f.write_str("the server took too long for other recipients of the same mail")
            }
        }
    }
}

fn at(step: Step) -> String {
    if step == Step::Greeting {
        "without a greeting".to_owned()
    } else if matches!(
        step,
        Step::Connect | Step::Tls | Step::Content | Step::FinalDot
    ) {
        step.to_string()
    } else {
        format!("without an answer {step}")
    }
}

fn malformed(what: Malformed) -> &'static str {
    match what {
        Malformed::NotSmtp => "it does not speak SMTP: check email_host and email_port",
        Malformed::Tls => {
            "it speaks TLS from the first byte on this port: set email_tls to implicit"
        }
        Malformed::TooLong => "it does not speak SMTP: an answer is longer than it may be",
    }
}

fn certificate(
    f: &mut fmt::Formatter<'_>,
    problem: &CertificateProblem,
    shown: Option<&Fingerprint>,
) -> fmt::Result {
    match problem {
        CertificateProblem::Expired(end) => write!(f, "its certificate expired on {}", day(*end)),
        CertificateProblem::NotYetValid(begin) => write!(
            f,
            "its certificate is valid from {} on: check this host's clock",
            day(*begin)
        ),
        CertificateProblem::WrongName(names) if names.is_empty() => {
            f.write_str(
                "its certificate has no host names (subjectAltName): renew it with them, or set email_tls_fingerprint",
            )
        }
        CertificateProblem::WrongName(names) => write!(
            f,
            "its certificate is for {}: set email_host to that name",
            names.join(", ")
        ),
        CertificateProblem::UnknownIssuer => write!(
            f,
            "its certificate is self-signed or of an unknown CA: name the CA's file in email_tls_ca"
        ),
        CertificateProblem::OtherFingerprint => {
            write!(f, "its certificate is not the one of email_tls_fingerprint")
        }
        CertificateProblem::Other(why) => write!(f, "its certificate is not accepted: {why}"),
    }?;
    match (problem, shown) {
        (
            CertificateProblem::UnknownIssuer
            | CertificateProblem::OtherFingerprint
            | CertificateProblem::Other(_),
            Some(shown),
        ) => write!(
            f,
            "; if it is the server's own, set email_tls_fingerprint to {shown} after a comparison with the server"
        ),
        _ => Ok(()),
    }
}

fn day(at: Timestamp) -> String {
    at.strftime("%-d %b %Y").to_string()
}

fn seconds(time: Duration) -> String {
    engine::model::format_duration(time)
}
