//! The transactions that deliver one mail: as many recipients in each as the server accepts.

use tokio::time::Instant;

use super::connection::closes;
use super::error::{Problem, SmtpError, Step};
use super::limits::Limits;
use super::report::{DeliveryReport, Outcome, RecipientOutcome};
use super::session::Session;
use super::{EnvelopeAddress, Reply};
use crate::config::MailSettings;
use crate::failpoints::{self, Point};

/// Delivers a mail with any line ends. Every recipient has an outcome, whatever happens.
pub async fn deliver(
    settings: &MailSettings,
    limits: Limits,
    from: &EnvelopeAddress,
    recipients: &[EnvelopeAddress],
    mail: &[u8],
) -> DeliveryReport {
    let mut delivery = Delivery {
        from,
        recipients,
        mail: &on_the_wire(mail),
        outcomes: vec![None; recipients.len()],
        cut: None,
    };
    let (begin, mut ended) = (Instant::now(), None);
    for _ in 0..MOST_CONNECTIONS {
        ended = match Session::open(settings, limits).await {
            Ok(mut session) => {
                let ended = delivery.run(&mut session).await;
                session.quit().await;
                ended.err()
            }
            Err(error) => {
                delivery.cut = None;
                Some(error)
            }
        };
        if !delivery.is_cut() || begin.elapsed() > limits.recipients {
            break;
        }
    }
    delivery.report(ended)
}

/// The most connections of one delivery. Each that the server closes at the name of a recipient is
/// followed by one for the others.
const MOST_CONNECTIONS: usize = 4;

/// A recipient's position in the list.
type Index = usize;

struct Delivery<'a> {
    from: &'a EnvelopeAddress,
    recipients: &'a [EnvelopeAddress],
    mail: &'a [u8],
    outcomes: Vec<Option<Outcome>>,
    /// Where the connection ended at the name of a recipient: those who were accepted before.
    cut: Option<Vec<Index>>,
}

impl Delivery<'_> {
    /// All transactions. Those in ASCII are separate from those that need SMTPUTF8: servers behind
    /// this one may not support it.
    ///
    /// # Errors
    /// When the connection cannot be used any more; recipients without an outcome get this one.
    async fn run(&mut self, session: &mut Session) -> Result<(), SmtpError> {
        let waiting = (0..self.recipients.len()).filter(|index| self.outcomes[*index].is_none());
        let (utf8, ascii): (Vec<Index>, Vec<Index>) =
            waiting.partition(|index| self.recipients[*index].needs_utf8());
        let known = self.cut.take().unwrap_or_default();
        if session.abilities.smtp_utf8 {
            let (ascii_needs, utf8_needs) = (self.from.needs_utf8(), true);
            self.transactions(session, ascii, &known, ascii_needs)
                .await?;
            return self.transactions(session, utf8, &known, utf8_needs).await;
        }
        let error = SmtpError::new(Step::Recipient, Problem::NeedsUtf8);
        self.settle(&utf8, &Outcome::Refused(error));
        if self.from.needs_utf8() {
            return Err(SmtpError::new(Step::Sender, Problem::NeedsUtf8));
        }
        self.transactions(session, ascii, &known, false).await
    }

    /// Recipients known to be accepted go first, by themselves: at the name of another one the
    /// connection may end again.
    async fn transactions(
        &mut self,
        session: &mut Session,
        waiting: Vec<Index>,
        known: &[Index],
        utf8: bool,
    ) -> Result<(), SmtpError> {
        let (first, others): (Vec<Index>, Vec<Index>) =
            waiting.into_iter().partition(|index| known.contains(index));
        for mut waiting in [first, others] {
            // Each transaction settles one recipient at least.
            while !waiting.is_empty() {
                waiting = self.transaction(session, waiting, utf8).await?;
            }
        }
        Ok(())
    }

    /// Whether the connection ended at the name of a recipient, and there are others.
    fn is_cut(&self) -> bool {
        self.cut.is_some() && self.outcomes.iter().any(Option::is_none)
    }

    /// Notes that the connection ended at the name of this recipient, which says nothing of the
    /// others.
    fn cut_at(&mut self, index: Index, taken: Vec<Index>, error: SmtpError) -> SmtpError {
        self.settle(&[index], &Outcome::NotYet(error.clone()));
        self.cut = (error.problem != Problem::Unasked).then_some(taken);
        error
    }

    /// One transaction; returns the recipients for whom the server wants a further one.
    async fn transaction(
        &mut self,
        session: &mut Session,
        waiting: Vec<Index>,
        utf8: bool,
    ) -> Result<Vec<Index>, SmtpError> {
        let command = self.mail_command(session, utf8);
        session.want(Step::Sender, &command).await?;
        let Named { taken, later } = self.name_recipients(session, waiting).await?;
        if taken.is_empty() {
            session.want(Step::Idle, "RSET").await?;
            return Ok(later);
        }
        let limit = session.limits.data;
        let reply = session
            .connection
            .command(Step::Data, "DATA", limit)
            .await?;
        if reply.code != 354 {
            return Err(session.refused(Step::Data, reply));
        }
        let limit = session.limits.block;
        session.connection.content(self.mail, limit).await?;
        self.end(session, &taken).await?;
        Ok(later)
    }

    fn mail_command(&self, session: &Session, utf8: bool) -> String {
        let mut command = mail_command(self.from, utf8);
        if session.abilities.eight_bit && !self.mail.is_ascii() {
            command.push_str(" BODY=8BITMIME");
        }
        command
    }

    /// RCPT for each. A recipient who is refused for the server's limit (452) after one that is
    /// accepted waits for a further transaction.
    async fn name_recipients(
        &mut self,
        session: &mut Session,
        waiting: Vec<Index>,
    ) -> Result<Named, SmtpError> {
        let begin = Instant::now();
        let mut named = Named::default();
        let mut full = 0;
        for index in waiting {
            if full >= FULL_AFTER {
                named.later.push(index);
                continue;
            }
            if begin.elapsed() > session.limits.recipients {
                let error = SmtpError::new(Step::Recipient, Problem::NoTimeLeft);
                self.settle(&[index], &Outcome::NotYet(error));
                continue;
            }
            let command = format!("RCPT TO:<{}>", self.recipients[index]);
            let reply = match session.ask(Step::Recipient, &command).await {
                Ok(reply) if closes(&reply) => Err(session.refused(Step::Recipient, reply)),
                answer => answer,
            };
            let reply = match reply {
                Ok(reply) => reply,
                Err(error) => return Err(self.cut_at(index, named.taken, error)),
            };
            if reply.is_yes() {
                full = 0;
                named.taken.push(index);
            } else if is_limit(&reply) && !named.taken.is_empty() {
                full += 1;
                named.later.push(index);
            } else {
                let outcome = refusal(session.refused(Step::Recipient, reply));
                self.settle(&[index], &outcome);
            }
        }
        Ok(named)
    }

    /// The final dot. From here on, a failure without a reply leaves it open whether the mail was
    /// accepted.
    async fn end(&mut self, session: &mut Session, taken: &[Index]) -> Result<(), SmtpError> {
        let (step, limit) = (Step::FinalDot, session.limits.final_dot);
        match session.connection.command(step, ".", limit).await {
            Ok(reply) if reply.is_yes() => {
                failpoints::pass(Point::MailHanded);
                self.settle(taken, &Outcome::Delivered);
                Ok(())
            }
            Ok(reply) => {
                let closes = closes(&reply);
                let permanent = reply.is_permanent();
                let error = session.refused(step, reply);
                let outcome = if permanent && error.problem == Problem::Answered {
                    Outcome::Refused(error.clone())
                } else {
                    Outcome::NotYet(error.clone())
                };
                self.settle(taken, &outcome);
                if closes { Err(error) } else { Ok(()) }
            }
            Err(error) if error.problem == Problem::Unasked => Err(error),
            Err(error) => {
                self.settle(taken, &Outcome::UnknownAfterDot(error.clone()));
                Err(error)
            }
        }
    }

    fn settle(&mut self, indexes: &[Index], outcome: &Outcome) {
        for index in indexes {
            self.outcomes[*index] = Some(outcome.clone());
        }
    }

    fn report(self, ended: Option<SmtpError>) -> DeliveryReport {
        let error = ended.unwrap_or(SmtpError::new(Step::Connect, Problem::Dropped));
        let recipients = self
            .recipients
            .iter()
            .zip(self.outcomes)
            .map(|(recipient, outcome)| RecipientOutcome {
                recipient: recipient.clone(),
                outcome: outcome.unwrap_or_else(|| Outcome::NotYet(error.clone())),
            })
            .collect();
        DeliveryReport { recipients }
    }
}

#[derive(Default)]
struct Named {
    taken: Vec<Index>,
    later: Vec<Index>,
}

/// After so many refusals in a row for its limit, the server accepts no more recipients in this
/// transaction. One may be a full mailbox.
const FULL_AFTER: usize = 2;

/// Whether a server's limit may be reached (RFC 5321, section 4.5.3.1.10: 452, and 552 of old
/// servers).
fn is_limit(reply: &Reply) -> bool {
    matches!(reply.code, 452 | 552)
}

/// What a refusal at RCPT means for the recipient. A refusal of our syntax, our name or our login
/// concerns us and not the recipient.
pub(super) fn refusal(error: SmtpError) -> Outcome {
    let is_ours = matches!(error.code(), Some(500..=504 | 530..=538 | 552 | 555));
    let concerns_recipient =
        error.problem == Problem::RelayDenied || (error.problem == Problem::Answered && !is_ours);
    if concerns_recipient && error.reply.as_ref().is_some_and(Reply::is_permanent) {
        Outcome::Refused(error)
    } else {
        Outcome::NotYet(error)
    }
}

pub(super) fn mail_command(from: &EnvelopeAddress, utf8: bool) -> String {
    let parameter = if utf8 { " SMTPUTF8" } else { "" };
    format!("MAIL FROM:<{from}>{parameter}")
}

/// A mail with CR LF at every line's end and dots doubled where a line begins with one (RFC 5321,
/// section 4.5.2), without the final dot.
fn on_the_wire(mail: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(mail.len() + mail.len() / 50 + 2);
    let mut rest = mail;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let (line, behind) = rest.split_at(end.unwrap_or(rest.len()));
        if line.starts_with(b".") {
            wire.push(b'.');
        }
        wire.extend_from_slice(line);
        wire.extend_from_slice(b"\r\n");
        rest = behind
            .strip_prefix(b"\r\n")
            .unwrap_or_else(|| behind.get(1..).unwrap_or_default());
    }
    wire
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_ends_rightly_and_no_line_ends_the_mail() {
        for (mail, wire) in [
            (&b"a\r\nb\r\n"[..], &b"a\r\nb\r\n"[..]),
            (b"a\nb\rc", b"a\r\nb\r\nc\r\n"),
            (b".\n..x\n.", b"..\r\n...x\r\n..\r\n"),
            (b"a\r\n\r\n.\r\n", b"a\r\n\r\n..\r\n"),
            (b"", b""),
        ] {
            assert_eq!(on_the_wire(mail), wire, "{mail:?}");
        }
    }
}
