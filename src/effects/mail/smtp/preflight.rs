//! Probes a mail server without sending: up to the greeting, the login, or all recipients.

use super::deliver::mail_command;
use super::error::{Problem, SmtpError, Step};
use super::limits::Limits;
use super::session::Session;
use super::{EnvelopeAddress, connection};
use crate::config::MailSettings;

/// What a server says to each recipient before a mail is sent, in the order given: why it is not
/// taken.
pub type Preflight = Vec<(EnvelopeAddress, Result<(), SmtpError>)>;

/// Connects, protects the connection, reads one reply, quits.
///
/// # Errors
/// [`SmtpError`] that says what to change.
pub async fn greet(settings: &MailSettings, limits: Limits) -> Result<(), SmtpError> {
    let mut session = Session::reach(settings, limits).await?;
    let reply = session.want(Step::Idle, "NOOP").await;
    session.quit().await;
    reply.map(|_| ())
}

/// As [`greet`], with a login, and up to the sender of a mail.
///
/// # Errors
/// [`SmtpError`] that says what to change.
pub async fn log_in(
    settings: &MailSettings,
    limits: Limits,
    from: &EnvelopeAddress,
) -> Result<(), SmtpError> {
    preflight(settings, limits, from, &[]).await.map(|_| ())
}

/// As [`log_in`], and up to the recipients of a mail.
///
/// # Errors
/// [`SmtpError`] when it fails before the recipients.
pub async fn preflight(
    settings: &MailSettings,
    limits: Limits,
    from: &EnvelopeAddress,
    recipients: &[EnvelopeAddress],
) -> Result<Preflight, SmtpError> {
    let mut session = Session::open(settings, limits).await?;
    let found = ask_all(&mut session, from, recipients).await;
    session.quit().await;
    found
}

async fn ask_all(
    session: &mut Session,
    from: &EnvelopeAddress,
    recipients: &[EnvelopeAddress],
) -> Result<Preflight, SmtpError> {
    let utf8 = session.abilities.smtp_utf8;
    if from.needs_utf8() && !utf8 {
        return Err(SmtpError::new(Step::Sender, Problem::NeedsUtf8));
    }
    let with_utf8 =
        utf8 && (from.needs_utf8() || recipients.iter().any(EnvelopeAddress::needs_utf8));
    session
        .want(Step::Sender, &mail_command(from, with_utf8))
        .await?;
    let mut answers = Vec::new();
    for recipient in recipients {
        let answer = if recipient.needs_utf8() && !utf8 {
            Err(SmtpError::new(Step::Recipient, Problem::NeedsUtf8))
        } else {
            session
                .want(Step::Recipient, &format!("RCPT TO:<{recipient}>"))
                .await
                .map(|_| ())
        };
        let over = answer.as_ref().is_err_and(ends_session);
        answers.push((recipient.clone(), answer.clone()));
        if over {
            answer?;
        }
    }
    session.want(Step::Idle, "RSET").await?;
    Ok(answers)
}

fn ends_session(error: &SmtpError) -> bool {
    match &error.reply {
        Some(reply) => connection::closes(reply),
        None => error.problem != Problem::NeedsUtf8,
    }
}
